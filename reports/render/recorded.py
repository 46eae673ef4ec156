"""What the recorder saw over time: rates, percentiles and the generator's health, by elapsed seconds."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.estimates.tables import errors_by_second
from reports.load.intervals import Latencies, percentile_ms, summed
from reports.load.run import REQUEST_KEYS, Run
from reports.render.charts import MAX_POINTS, Floats
from reports.render.timelines import PERCENTILES, Timeline

SHORTEST_BLOCK_S = 5


def block_s(run: Run) -> int:
    """Return over how many seconds each percentile is taken: 5, or more where points would be too many."""
    return max(SHORTEST_BLOCK_S, math.ceil((run.intervals.end_s - run.intervals.first_s) / MAX_POINTS))


def recorded_rates(run: Run) -> Timeline:
    """Return requests/s and failures/s by the second in which they ended."""
    ended, count = _numbered(run, "ended_s", 1)
    columns = {"rps": "n", "failures_per_s": "failures"}
    values = {key: summed(run.intervals.column(column), ended, count) for key, column in columns.items()}
    return Timeline(_elapsed_s(run, count, 1), values)


def recorded_percentiles(run: Run, latencies: Latencies) -> Timeline:
    """Return the percentiles of the successes that started in each block; the point is at the block's end."""
    length_s = block_s(run)
    started, count = _numbered(run, "started_s", length_s)
    blocks = run.intervals.merged(latencies.histograms, started, count)
    values = {
        name: np.array([percentile_ms(row, float(name.removeprefix("p"))) for row in blocks])
        for name in PERCENTILES
    }
    return Timeline(_elapsed_s(run, count, length_s) + length_s, values)


def recorded_rates_by_request(run: Run) -> dict[tuple[str, str], Timeline]:
    """Return requests/s per (type, name)."""
    ended, count = _numbered(run, "ended_s", 1)
    group, keys = run.intervals.grouped_by(REQUEST_KEYS)
    n = summed(run.intervals.column("n"), group * count + ended, len(keys) * count).reshape(-1, count)
    names = zip(keys["request_type"], keys["name"], n, strict=True)
    elapsed_s = _elapsed_s(run, count, 1)
    return {(str(kind), str(name)): Timeline(elapsed_s, {"rps": row}) for kind, name, row in names}


def recorded_failures(run: Run) -> dict[tuple[str, str, str], Timeline]:
    """Return failures a second per (type, name, error), from the first request to the last."""
    if not run.intervals:
        return {}
    errors, count = errors_by_second(run), run.intervals.end_s - run.intervals.first_s
    elapsed_s = _elapsed_s(run, count, 1)
    keys = ["request_type", "name", "error"]
    return {
        (str(kind), str(name), str(text)): Timeline(
            elapsed_s, {"failures_per_s": _by_second(rows, run.intervals.first_s, count)}
        )
        for (kind, name, text), rows in errors.astype(dict.fromkeys(keys, "object")).groupby(keys, sort=False)
    }


def _by_second(errors: pd.DataFrame, first_s: int, count: int) -> Floats:
    # A transaction may end after the last request, as it may think until then.
    ended = np.clip(np.asarray(errors["ended_s"], dtype=np.int64) - first_s, 0, count - 1)
    failures: Floats = np.zeros(count)
    np.add.at(failures, ended, np.asarray(errors["n"], dtype=np.float64))
    return failures


def starts_timeline(run: Run) -> Timeline:
    """Return by second the iterations planned, started, late and dropped; empty without a schedule."""
    counted = ["started", "late", "dropped"]
    if not run.has_schedule or run.health.empty:
        return Timeline(np.empty(0), {key: np.empty(0) for key in ("planned_rate", *counted)})
    # A row tells of the second before it was written.
    seconds = run.health.groupby(np.floor(run.health["unix_s"]) - 1)[counted].sum(min_count=1)
    plan = run.stages.groupby(np.floor(run.stages["unix_s"]))["planned_rate"].last()
    elapsed_s = np.maximum(_floats(seconds.index.to_series()) - math.floor(run.started_unix_s), 0.0)
    columns = {key: _floats(seconds[key]) for key in counted}
    return Timeline(elapsed_s, {"planned_rate": _floats(plan.reindex(seconds.index)), **columns})


def generator_timeline(run: Run) -> Timeline:
    """Return by second the busiest process (% of a core), the latest loop, and all requests in flight."""
    second = np.floor(run.health["unix_s"])
    seconds = run.health.groupby(second)
    worst = seconds[["cpu_ratio", "lag_p99_ms"]].max()
    elapsed_s = np.asarray(worst.index, dtype=np.float64) - math.floor(run.started_unix_s)
    columns = {
        "cpu": _floats(100 * worst["cpu_ratio"]),
        "lag": _floats(worst["lag_p99_ms"]),
        "in_flight": _floats(seconds["in_flight"].sum(min_count=1)),
    }
    return Timeline(np.maximum(elapsed_s, 0.0), columns)


def _numbered(run: Run, which: str, length_s: int) -> tuple[NDArray[np.int64], int]:
    """Number the rows by the blocks of the recording, and return how many blocks there are."""
    intervals = run.intervals
    count = math.ceil((intervals.end_s - intervals.first_s) / length_s)
    return (intervals.seconds(which) - intervals.first_s) // length_s, count


def _elapsed_s(run: Run, count: int, length_s: int) -> Floats:
    first_s = max(run.intervals.first_s - math.floor(run.started_unix_s), 0)
    return first_s + length_s * np.arange(count, dtype=np.float64)


def _floats(values: "pd.Series[float]") -> Floats:
    return np.asarray(values, dtype=np.float64)
