"""Take the generator's event-loop lag off its latencies: the loop only ever adds time to what it measures.

A request waits for the loop once, for its answer: its latency is too long by at most the worst lag of its
process in the seconds from its start to its end. It is lowered by that much, and so gives the lower end of
its interval. One that waits more often, for a connection or for pieces of its body, may be later by more:
the check `generator_loop_lag` bounds the lag of the usual wait. No quantile of the lag over the whole
judged time would do: slow answers and late wake-ups come in the same seconds, so that a quantile of their
sum is bounded by no quantile of each (Makarov 1981), while the largest lag would let a single stall excuse
whatever else was slow.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plimsoll.run_files.intervals import BUSY, TRANSACTION
from reports.load.histograms import Histograms, lower_ms
from reports.load.intervals import SECONDS, Intervals
from reports.load.run import Run

Floats = NDArray[np.float64]

UNKNOWN_MS = 1e12
"""Lag of a second of which it is not known: it excuses any latency."""
IN_BROWSER = "VITAL"
"""Type of the requests that a browser times itself."""


def without_lag(run: Run) -> Run:
    """Return a run with the least that its latencies may have been; the same run where there was no lag.

    An iteration or transaction waits for the loop as often as it makes requests, on average; a latency from
    an intended start waits once more, as the start may be late.
    """
    requests = run.intervals
    if not requests or run.health.empty:
        return run
    made = requests.rows.groupby("user_class", observed=True)["n"].sum()
    lowered = _lowered(requests, run.health, np.where(requests.rows["request_type"] == IN_BROWSER, 0.0, 1.0))
    iterations = _lowered(run.iterations, run.health, _waits(run.iterations, made, ["user_class"]))
    custom = {
        custom_type: _lowered(recorded, run.health, _waits(recorded, made, ["user_class", "name"]))
        if custom_type in {TRANSACTION, BUSY}
        else recorded
        for custom_type, recorded in run.custom.items()
    }
    is_same = lowered is requests and iterations is run.iterations
    is_same &= all(custom[custom_type] is recorded for custom_type, recorded in run.custom.items())
    return run if is_same else replace(run, intervals=lowered, iterations=iterations, custom=custom)


def _waits(recorded: Intervals, made: "pd.Series[float]", keys: list[str]) -> Floats:
    """Return for each row how many requests its user class made for each of these, at least one."""
    units = recorded.rows.groupby(keys, observed=True)["n"].transform("sum")
    requests = recorded.rows["user_class"].astype(object).map(made)
    waits: Floats = (requests / units.clip(lower=1.0)).fillna(1.0).clip(lower=1.0).to_numpy(dtype=np.float64)
    return waits


def _lowered(recorded: Intervals, health: pd.DataFrame, waits: Floats) -> Intervals:
    """Return a recording whose latencies are lowered; the same one where no process was late."""
    lag_ms = _lag_ms(recorded, health)
    if not lag_ms.any():
        return recorded
    less_ms, less_responses_ms = waits * lag_ms, (waits + (waits > 0)) * lag_ms
    rows, successes = recorded.rows.copy(deep=False), recorded.column("n") - recorded.column("failures")

    def lower(column: str, less: Floats) -> None:
        rows[column] = (rows[column] - less).clip(lower=0.0)

    lower("sum_ms", successes * less_ms)
    lower("min_ms", less_ms)
    lower("max_ms", less_ms)
    if recorded.corrected is not None:
        lower("response_sum_ms", recorded.responses.counted() * less_responses_ms)
        lower("response_max_ms", less_responses_ms)
    return replace(
        recorded,
        rows=rows,
        successes=_lower(recorded.successes, less_ms),
        unfinished=_lower(recorded.unfinished, less_ms),
        responses=_lower(recorded.responses, less_responses_ms),
        # What was counted over a limit cannot be lowered; shares are read from the histograms instead.
        limits_ms=(),
        over=np.empty((len(rows), 0), dtype=np.uint32),
        unfinished_over=np.empty((len(rows), 0), dtype=np.uint32),
        response_over=np.empty((len(rows), 0), dtype=np.uint32),
    )


def _lag_ms(recorded: Intervals, health: pd.DataFrame) -> Floats:
    """Return the lag of each row: the worst of its process from the start to the end of its requests.

    A row of health.csv tells of the time since the one before it.
    """
    lag_ms, (started_s, ended_s) = np.zeros(len(recorded.rows)), map(recorded.seconds, SECONDS)
    worker = recorded.rows["worker"]
    for process, written in health.sort_values("unix_s").groupby("process"):
        of_process = np.flatnonzero(worker == process)
        known_ms = written["lag_max_ms"].fillna(written["lag_p99_ms"])
        worst_ms = known_ms.fillna(UNKNOWN_MS).to_numpy(dtype=np.float64)
        written_s = written["unix_s"].to_numpy(dtype=np.float64)
        first = np.searchsorted(written_s, started_s[of_process])
        last = np.searchsorted(written_s, ended_s[of_process] + 1)
        spans, span = np.unique(first * (len(written) + 1) + last, return_inverse=True)
        start, end = np.divmod(spans, len(written) + 1)
        bounds = np.stack((start, end + 1), axis=1).ravel().astype(np.int64)
        # Between every other pair of bounds lies a span. Zeros stand for the time after the last row.
        worst = np.maximum.reduceat(np.append(worst_ms.clip(min=0.0), (0.0, 0.0)), bounds)[::2]
        lag_ms[of_process] = worst[span] if len(of_process) else 0.0
    return lag_ms


def _lower(histograms: Histograms, less_ms: Floats) -> Histograms:
    """Return histograms whose entries are lowered, row by row, from the lower bounds of their buckets."""
    bounds_ms, buckets = lower_ms(np.arange(histograms.width)), histograms.buckets.copy()
    for rows, entries in histograms.pieces():
        less = np.repeat(less_ms[rows], np.diff(histograms.starts[rows.start : rows.stop + 1]))
        least_ms = bounds_ms[buckets[entries]] - less
        bucket = np.maximum(np.searchsorted(bounds_ms, least_ms, side="right") - 1, 0)
        buckets[entries] = np.where(less > 0, bucket, buckets[entries])
    return replace(histograms, buckets=buckets)
