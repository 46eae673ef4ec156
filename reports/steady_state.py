"""Find the part of a run that is judged: without ramps, and without the time a service takes to warm up.

Ramps are cut by the plan, or without one up to the moment of the most users. Where the load is then constant
for long enough, MSER-5 (White 1997) finds the end of the warm-up: of the means y of batches of 5 s it drops
the first d that make sum((y[d:] - mean)^2) / (m - d)^2 least. With d at half of the run nothing is steady.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.histograms import Group, medians_ms, summed
from reports.load.intervals import SECONDS, Intervals
from reports.load.run import Run

SHORTEST_S = 5.0
BATCH_S = 5
FEWEST_BATCHES = 20
BATCHES_AT_ONCE = 240
"""Whose histograms are in memory together."""
CONSTANT_RATIO = 0.05


@dataclass(frozen=True)
class SteadyState:
    """Hold the judged window: whole Unix seconds from `first_s` to before `end_s`.

    `start_unix_s` is the start of the run, `cut_s` what MSER-5 cut and `max_cut_s` the half it searched (None
    where it was not asked).
    """

    start_unix_s: float
    first_s: int
    end_s: int
    method: str
    cut_s: float | None = None
    max_cut_s: float | None = None

    @property
    def from_s(self) -> float:
        """Return the start of the window in seconds since the start of the run."""
        return max(self.first_s - self.start_unix_s, 0.0)

    @property
    def to_s(self) -> float:
        """Return the end of the window in seconds since the start of the run."""
        return max(self.end_s - self.start_unix_s, 0.0)

    @property
    def length_s(self) -> int:
        """Return the length of the window."""
        return self.end_s - self.first_s

    def blocks(self, seconds: NDArray[np.int64], count: int) -> Group:
        """Number each second by its block of `count` equal ones; outside of the window it is -1."""
        inside = (seconds >= self.first_s) & (seconds < self.end_s)
        return np.where(inside, (seconds - self.first_s) * count // max(self.length_s, 1), -1)


def steady_state(run: Run) -> SteadyState:
    """Return the window in which a run with intervals is judged."""
    start_s, end_s = run.started_unix_s, run.intervals.end_s
    at_s, users = (run.stages[column].to_numpy(dtype=np.float64) for column in ("unix_s", "users"))
    with_users_s = at_s[(users > 0) & ~np.isnan(at_s)]
    if len(with_users_s):  # whose requests may all hang, so that none ended
        planned_s = run.meta.planned_duration_s
        until_s = math.inf if planned_s is None else start_s + planned_s
        end_s = max(end_s, math.floor(min(float(with_users_s.max()), until_s)))
    whole = SteadyState(start_s, run.intervals.first_s, end_s, "whole run")
    from_s, to_s, ramps = _without_ramps(run)
    if run.meta.warm_up_s > from_s:
        from_s, ramps = run.meta.warm_up_s, f"{ramps}, and {run.meta.warm_up_s:.0f} s of planned warm-up"
    first_s = max(math.ceil(start_s + from_s), whole.first_s)
    if math.isfinite(to_s):
        end_s = min(math.floor(start_s + to_s), end_s)
    if end_s - first_s < SHORTEST_S:
        return replace(whole, method=f"whole run: less than {SHORTEST_S:.0f} s remain {ramps}")
    cut = SteadyState(start_s, first_s, end_s, ramps)
    if not _is_constant(run, cut):
        return replace(cut, method=f"{ramps}; no warm-up sought, as the load changes")
    if cut.length_s < FEWEST_BATCHES * BATCH_S:
        return replace(cut, method=f"{ramps}; no warm-up sought in less than {FEWEST_BATCHES * BATCH_S} s")
    return _without_warm_up(run, cut)


def judged_health(run: Run, window: SteadyState) -> pd.DataFrame:
    """Return the rows of health.csv about the window."""
    return judged(run.health, window)


def judged(rows: pd.DataFrame, window: SteadyState) -> pd.DataFrame:
    """Return the rows about the window; each tells of the second before it was written."""
    written_s = rows["unix_s"]
    return rows[(written_s - 1 >= window.first_s) & (written_s <= window.end_s)]


def only(run: Run, window: SteadyState) -> Run:
    """Return a run of which no more is known than what started or ended in a window."""
    return replace(
        run,
        intervals=_within(run.intervals, window),
        iterations=_within(run.iterations, window),
        custom={key: _within(recorded, window) for key, recorded in run.custom.items()},
        health=judged_health(run, window),
        # The plan is for the whole run; what is due in the window follows from started and dropped.
        meta=replace(run.meta, arrivals=None),
    )


def _within(recorded: Intervals, window: SteadyState) -> Intervals:
    started, ended = (window.blocks(recorded.seconds(which), 1) >= 0 for which in SECONDS)
    return recorded.only(np.logical_or(started, ended)) if recorded else recorded


def _without_ramps(run: Run) -> tuple[float, float, str]:
    """Return the time without the ramps from and to zero: by the plan, else from the most users on."""
    if run.meta.stages:
        first, last = run.meta.stages[0], run.meta.stages[-1]
        from_s = first.to_s if first.from_load == 0 < first.to_load else first.from_s
        to_s = last.from_s if last.to_load == 0 < last.from_load else last.to_s
        return from_s, to_s, "without the planned ramps from and to zero"
    at_s, users = (run.stages[column].to_numpy(dtype=np.float64) for column in ("elapsed_s", "users"))
    known = ~np.isnan(at_s) & ~np.isnan(users)
    if not known.any():
        return 0.0, math.inf, "with any ramp, as it is unknown when all users had started"
    from_s = float(at_s[known][int(users[known].argmax())])
    return from_s, math.inf, "from the moment of the most users on"


def _is_constant(run: Run, window: SteadyState) -> bool:
    """Tell whether the load was planned, or at least seen, to be the same all over a window."""
    if run.meta.stages:
        inside = [s for s in run.meta.stages if s.from_s < window.to_s and s.to_s > window.from_s]
        return len({load for stage in inside for load in (stage.from_load, stage.to_load)}) == 1
    at_s, users = (run.stages[column].to_numpy(dtype=np.float64) for column in ("elapsed_s", "users"))
    seen = users[(at_s >= window.from_s) & (at_s <= window.to_s - 1)]
    seen = seen[~np.isnan(seen)]
    return len(seen) > 0 and float(seen.min()) >= (1 - CONSTANT_RATIO) * float(seen.max())


def _without_warm_up(run: Run, window: SteadyState) -> SteadyState:
    """Return the window without what MSER-5 cuts, of the medians and the finished requests of its batches."""
    intervals, batches = run.intervals, window.length_s // BATCH_S
    whole_batches = replace(window, end_s=window.first_s + batches * BATCH_S)
    started, ended = (whole_batches.blocks(intervals.seconds(which), batches) for which in SECONDS)
    medians = []
    for first in range(0, batches, BATCHES_AT_ONCE):
        some = np.where((started >= first) & (started < first + BATCHES_AT_ONCE), started - first, -1)
        counts = intervals.successes.merged(some, min(BATCHES_AT_ONCE, batches - first), intervals.width)
        medians.append(medians_ms(counts))
    cut = max(mser(np.concatenate(medians)), mser(summed(intervals.column("n"), ended, batches)))
    cut_s, max_cut_s = cut * BATCH_S, batches // 2 * BATCH_S
    found = replace(window, cut_s=float(cut_s), max_cut_s=float(max_cut_s))
    if cut_s >= max_cut_s:
        return replace(found, method=f"{window.method}; MSER-5 found no steady part")
    method = f"{window.method}; MSER-5 on p50 and requests/s cut {cut_s} s of warm-up"
    return replace(found, first_s=window.first_s + cut_s, method=method)


def mser(batches: NDArray[np.float64]) -> int:
    """Return how many of the first batches to drop, at most half: the least sum of squares / count^2."""
    m = len(batches)
    scores = [
        float(((rest - rest.mean()) ** 2).sum()) / len(rest) ** 2
        for rest in (batches[d:] for d in range(m // 2 + 1))
        if len(rest)
    ]
    return int(np.argmin(scores)) if scores else 0
