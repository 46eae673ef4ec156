"""Judge simulated runs of known truth and count the wrong verdicts: `make simulate` prints the table.

A run is simulated second by second as the recorder writes it, and judged by the judge's own code. Its limit
stands 5 % from the truth: below it every PASS is wrong, above it every FAIL. "Decided" is the mean share of
right verdicts of the two; "covers" is how many intervals hold the truth. The truth is that of the service:
where its level swings or it stalls, of all that a longer run would see; where it drifts, changes at once, or
is as slow all through the run, that of the run. Everything is seeded.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import signal, special

from plimsoll.run_files.exit_status import Outcome
from plimsoll.run_files.intervals import bucket_indices
from reports.load.histograms import NO_HISTOGRAMS, Histograms
from reports.load.intervals import NO_INTERVALS
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.thresholds.reading import parse_thresholds
from reports.verdict.judge import Judgement, judge_threshold
from tests.make_csv import START_S, empty_run

Floats = NDArray[np.float64]

MEDIAN_MS = 200.0
SIGMA = 0.5
"""Of the logarithms of latencies: p95 is 2.3 times the median."""
SWING = 0.15
"""The standard deviation of a level that swings, as a logarithm."""
APART = 0.05
SEED = 20261201
FAILED_MS = 1.0
LONG_RUN_S = 200_000


class Simulated(NamedTuple):
    """Hold the requests of a run: their second, log latency, and which of them fail; and the run's levels."""

    second: NDArray[np.int64]
    log_ms: Floats
    failed: NDArray[np.bool_]
    level: Floats


Levels = Callable[[np.random.Generator, int], Floats]
"""Returns the level of each of so many seconds, as the logarithm of a factor."""


class Case(NamedTuple):
    """Name what is simulated, and how; `is_own` tells whether the truth is that of the run alone."""

    name: str
    levels: Levels
    runs: tuple[tuple[int, int], ...]
    """Seconds, and requests a second."""
    is_own: bool = False
    failing: Floats | float = 0.0
    """The share of requests that fail at once; or one for each level, by its sign."""


def even(_: np.random.Generator, seconds: int) -> Floats:
    """Return levels that do not change."""
    return np.zeros(seconds)


def swinging(correlation: float, size: float = SWING) -> Levels:
    """Return levels that swing: an AR(1) process from second to second."""

    def levels(random: np.random.Generator, seconds: int) -> Floats:
        steps = random.normal(0, size, seconds)
        steps[1:] *= math.sqrt(1 - correlation**2)
        found: Floats = signal.lfilter([1.0], [1.0, -correlation], steps)
        return found

    return levels


def of_the_run(random: np.random.Generator, seconds: int) -> Floats:
    """Return one level for the whole run: what its host or its data happened to be."""
    return np.full(seconds, random.normal(0, SWING))


def stalling(random: np.random.Generator, seconds: int) -> Floats:
    """Return levels of which each second is ten times as slow with a chance of one in ten."""
    return np.where(random.random(seconds) < 0.1, math.log(10.0), 0.0)


def changing(random: np.random.Generator, seconds: int) -> Floats:
    """Return levels that rise to the double at once, somewhere in the middle half of the run."""
    return np.where(np.arange(seconds) < seconds * random.uniform(0.25, 0.75), 0.0, math.log(2.0))


def drifting(_: np.random.Generator, seconds: int) -> Floats:
    """Return levels that rise by half over the run, evenly."""
    return np.log(np.linspace(1.0, 1.5, seconds))


USUAL = ((60, 50), (120, 50), (300, 50))
SLOW = ((60, 50), (120, 50), (600, 20))
CASES = (
    Case("independent", even, USUAL),
    *(Case(f"correlated {rho:g} from second to second", swinging(rho), SLOW) for rho in (0.5, 0.8, 0.95)),
    Case("slow all through the run, or fast", of_the_run, USUAL, is_own=True),
    Case("a second in ten stalls", stalling, USUAL),
    Case("doubles at once", changing, USUAL, is_own=True),
    Case("drifts up by half", drifting, USUAL, is_own=True),
    Case("too short", even, ((4, 10), (10, 5))),
    Case("a third fails at once", even, USUAL, failing=1 / 3),
)


def simulate(case: Case, seconds: int, rate: int, random: np.random.Generator) -> Simulated:
    """Return the requests of one run, as many a second as by chance."""
    level = case.levels(random, seconds)
    second = np.repeat(np.arange(seconds), random.poisson(rate, seconds))
    log_ms = math.log(MEDIAN_MS) + level[second] + random.normal(0, SIGMA, len(second))
    failed = random.random(len(second)) < case.failing
    return Simulated(second, np.where(failed, math.log(FAILED_MS), log_ms), failed, level)


def recorded_run(simulated: Simulated, seconds: int, limit_ms: float) -> Run:
    """Return a run as it is read from its file: a row for each second, with a count at the limit."""
    latency_ms = np.exp(simulated.log_ms)

    def histograms(chosen: NDArray[np.bool_]) -> Histograms:
        keys = simulated.second[chosen] * 2**16 + bucket_indices(np, latency_ms[chosen])
        found, counts = np.unique(keys, return_counts=True)
        starts = np.searchsorted(found // 2**16, np.arange(seconds + 1))
        return Histograms(starts, (found % 2**16).astype(np.uint16), counts.astype(np.uint32))

    def by_second(weights: Floats) -> Floats:
        found: Floats = np.bincount(simulated.second, weights=weights, minlength=seconds).astype(np.float64)
        return found

    succeeded = ~simulated.failed
    rows = pd.DataFrame(
        {
            "started_s": START_S + np.arange(seconds),
            "ended_s": START_S + np.arange(seconds),
            "request_type": pd.Series(["GET"] * seconds, dtype="category"),
            "name": pd.Series(["a"] * seconds, dtype="category"),
            "n": by_second(np.ones(len(latency_ms))),
            "failures": by_second(simulated.failed.astype(float)),
            "sum_ms": by_second(np.where(succeeded, latency_ms, 0.0)),
            "max_ms": math.nan,
            "min_ms": math.nan,
        }
    )
    none = replace(NO_HISTOGRAMS, starts=np.zeros(seconds + 1, dtype=np.int64))
    intervals = replace(
        NO_INTERVALS,
        rows=rows,
        successes=histograms(succeeded),
        failed=histograms(simulated.failed),
        unfinished=none,
        limits_ms=(limit_ms,),
        over=by_second((succeeded & (latency_ms >= limit_ms)).astype(float))[:, None],
        unfinished_over=np.zeros((seconds, 1)),
    )
    return replace(empty_run(), intervals=intervals)


def judged(simulated: Simulated, seconds: int, source: str, limit: float) -> Judgement:
    """Return the judgement on one run by the statement that *source* with the limit is."""
    (threshold,) = parse_thresholds(f"thresholds: ['{source.format(limit)}']")
    run = recorded_run(simulated, seconds, limit)
    return judge_threshold(threshold, run, SteadyState(START_S, START_S, START_S + seconds, "simulated"), run)


def true_p95_ms(level: Floats) -> float:
    """Return the p95 of latencies whose seconds have these levels, as many requests in each (bisection)."""
    low, high = 0.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        over = special.ndtr((level - middle) / SIGMA).mean()
        low, high = (middle, high) if over > 0.05 else (low, middle)
    return MEDIAN_MS * math.exp(low)


class Rates(NamedTuple):
    """Hold the shares of runs: wrong verdicts, right ones, and intervals that hold the truth."""

    wrong_pass: float
    wrong_fail: float
    decided: float
    covers: float


def rates(case: Case, seconds: int, rate: int, runs: int) -> Rates:
    """Return how often the p95 of so many runs of a case is judged wrongly."""
    random = np.random.default_rng(SEED)
    truth_ms = true_p95_ms(case.levels(random, LONG_RUN_S))
    below, above, covers = [], [], 0
    for _ in range(runs):
        run = simulate(case, seconds, rate, random)
        own_ms = true_p95_ms(run.level) if case.is_own else truth_ms
        tight, loose = (
            judged(run, seconds, "p95 < {:.3f} ms", round(own_ms * factor, 3))
            for factor in (1 - APART, 1 + APART)
        )
        below.append(tight.outcome)
        above.append(loose.outcome)
        found = loose.estimate
        covers += found is not None and (found.low or 0) <= own_ms <= (found.high or math.inf)
    return Rates(
        below.count(Outcome.PASS) / runs,
        above.count(Outcome.FAIL) / runs,
        (below.count(Outcome.FAIL) + above.count(Outcome.PASS)) / (2 * runs),
        covers / runs,
    )


def table(runs: int) -> Iterator[str]:
    """Yield the lines of the table, as Markdown."""
    yield "| case | length × rate | wrong PASS | wrong FAIL | decided | covers |"
    yield "|---|---|---|---|---|---|"
    for case in CASES:
        for seconds, rate in case.runs:
            found = rates(case, seconds, rate, runs)
            shown = " | ".join(f"{100 * share:.1f}%" for share in found)
            yield f"| {case.name} | {seconds} s × {rate}/s | {shown} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m measured.verdict_rates", description=__doc__)
    parser.add_argument("--runs", type=int, default=150, help="of each row (default: %(default)s)")
    for line in table(parser.parse_args(arguments).runs):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
