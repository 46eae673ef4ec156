"""Estimate a metric from Locust's CSV files: as exactly as Locust wrote it, and no more exactly.

Locust writes counts, means and extremes as they were (the first versions cut fractions of latencies off). It
rounds each response time before it counts it for the percentiles, and counts failed requests as well, so that
a latency of the successes is only known to lie between what is known of the ranks around it. This is the
uncertainty of the run itself; how far another run would differ, the files do not tell.

Percentile q is the request of rank int(n * q) + 1, as Locust takes it: it is below a limit just where less
than 1 - q of the requests are not.
"""

import math
from dataclasses import replace

import pandas as pd

from reports.estimates import intervals
from reports.estimates.estimate import INDEPENDENT, SMALLEST_MEAN_N, Estimate, exact
from reports.estimates.selection import selected
from reports.load.locust_csv import PERCENTILE_COLUMN, before_rounding_ms
from reports.load.run import Run
from reports.thresholds.metrics import Metric
from reports.thresholds.selectors import Selector
from reports.wording import quantity

CAVEAT = "Locust's CSV cannot bound the sampling error: record with Plimsoll for that"


def choose(run: Run, selector: Selector, metric: Metric) -> pd.DataFrame:
    """Return the rows of Locust's statistics that are meant; its own total where that is all of them.

    For a latency those that never succeeded are left out.
    """
    rows = run.requests[selected(selector, run.requests)]
    if len(rows) == len(run.requests) and len(run.total):
        return run.total
    return rows.loc[rows["n"] > rows["failures"]] if metric.is_latency else rows


def estimate(metric: Metric, rows: pd.DataFrame, run: Run) -> Estimate | None:
    """Return the estimate of a metric in its kind's unit, None where the files do not tell it.

    `rows` must hold at least one request, and one success for a latency.
    """
    n, failures = (int(rows[column].sum()) for column in ("n", "failures"))
    if metric.figure == "count":
        return exact(n, n, "counted")
    if metric.figure == "failures":
        return exact(failures, n, "counted")
    if metric.figure == "error_rate":
        low, high = (100 * end for end in intervals.share(failures, n))
        return Estimate(100 * failures / n, low, high, n, f"Wilson {INDEPENDENT}", caveat=CAVEAT)
    if metric.figure == "rps":
        whole_s = run.duration_s
        if not whole_s:
            return None
        # Over the time up to the last request, as Locust does; at least over all of it. A recorded time is
        # known, and that of Locust's history alone has no other beside it.
        length_s = whole_s if run.requests_s is None or run.meta.ended else min(run.requests_s, whole_s)
        doubt = f"the last request was answered after {length_s:.0f} of {whole_s:.0f} s"
        value, low = n / length_s, n / whole_s
        return Estimate(value, low, value, n, "requests over seconds", doubt=doubt, caveat=CAVEAT)
    if (rows["max_ms"] == 0).any():  # Locust writes 0 where a client gave no response time
        return None
    return _mean(rows) if metric.figure == "mean" else _ranked(metric, rows)


def _mean(rows: pd.DataFrame) -> Estimate | None:
    """Return the mean; each failure may have been as slow or as fast as any request."""
    n, failures = (float(rows[column].sum()) for column in ("n", "failures"))
    value = float((rows["mean_ms"] * rows["n"]).sum(skipna=False)) / n
    if math.isnan(value):
        return None
    cut_ms = float(rows["cut_ms"].max()) if "cut_ms" in rows else 0.0
    low, high, per_success = value, math.nextafter(value + cut_ms, value), failures / (n - failures)
    if failures:
        slowest = float(rows["max_ms"].max(skipna=False)) + cut_ms
        fastest = float(rows["min_ms"].min(skipna=False))
        is_known = not math.isnan(slowest + fastest)
        low = min(max(value - (slowest - value) * per_success, fastest), value) if is_known else 0.0
        high = max(min(high + (high - fastest) * per_success, slowest), high) if is_known else math.inf
    return _of_successes(rows, (value, low, high), SMALLEST_MEAN_N)


def _ranked(metric: Metric, rows: pd.DataFrame) -> Estimate | None:
    """Return a percentile, the maximum (p100 too) or the minimum.

    A percentile of several names lies between the least and the greatest of theirs, and has no value.
    """
    level = metric.level if metric.level is not None and metric.level < 100 else None
    values, lows, highs = [], [], []
    for _, row in rows.iterrows():
        n, failures, fastest, slowest = int(row["n"]), int(row["failures"]), row["min_ms"], row["max_ms"]
        stated = {
            float(match[1]): float(row[column])
            for column in row.index
            if (match := PERCENTILE_COLUMN.fullmatch(str(column))) and not math.isnan(row[column])
        }
        value, rank = (fastest, 1) if metric.figure == "min" else (slowest, n - failures)
        if level is not None:
            value = stated.get(level, math.nan)
            rank = min(int((n - failures) * level / 100) + 1, n - failures)
        if math.isnan(value) and (level is None or not stated):
            return None
        points = [(min(int(n * at / 100) + 1, n), *before_rounding_ms(stated[at])) for at in stated]
        cut_ms = row.get("cut_ms", 0.0)
        points += [
            (at, exact_ms, math.nextafter(exact_ms + cut_ms, exact_ms))
            for at, exact_ms in ((1, fastest), (n, slowest))
            if exact_ms >= 0
        ]
        # Every failure may have been slower than it, or every one faster.
        lows.append(max((low for at, low, _ in points if at <= rank), default=0.0))
        highs.append(min((high for at, _, high in points if at >= rank + failures), default=math.inf))
        values.append(min(max(value, lows[-1]), highs[-1]))
    if level is None:
        extreme = min if metric.figure == "min" else max
        return _of_successes(rows, (extreme(values), extreme(lows), extreme(highs)))
    common = values[0] if len(set(values)) == 1 and not math.isnan(values[0]) else None
    return _of_successes(rows, (common, min(lows), max(highs)), intervals.smallest_n(level / 100))


def _of_successes(
    rows: pd.DataFrame, figures: tuple[float | None, float, float], needed_n: int = 0
) -> Estimate:
    """Return the estimate of a latency: its value and ends, with what leaves it open between these.

    Fewer successes than `needed_n` bound nothing.
    """
    (n, failures), (value, low, high) = (int(rows[column].sum()) for column in ("n", "failures")), figures
    known = "Locust rounds response times:"
    if failures:
        known = f"{failures} of {n} requests failed, and Locust's figures include them; without them"
    elif len(rows) > 1:
        known = "percentiles of several names cannot be merged (use one threshold per name):"
    elif value is None:
        known = "Locust does not write this percentile:"
    where = f"between {quantity(low, 'ms', 4)} and {quantity(high, 'ms', 4)}"
    if math.isinf(high):
        where = f"at least {quantity(low, 'ms', 4)}"
    doubt = f"{known} it is {where}"
    method = f"Locust's figure within its rounding{'; failures are among its requests' if failures else ''}"
    found = Estimate(value, low, high, n - failures, method, doubt=doubt, caveat=CAVEAT)
    if found.n >= needed_n:
        return found
    # A few decide nothing but what is far beyond the limit, and a single one not even that.
    alone = (low, high) if found.n > 1 else None
    return replace(found, low=None, high=None, independent=alone, needed_n=needed_n)
