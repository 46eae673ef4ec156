"""How often a limit with `abort` ends a load that it should not, and how soon one that it should.

Runs of eight hours are simulated second by second, with 50 requests each, and looked at every 5 s by the rule
of `reports.watched`. In a clean run the true figure is a tenth inside of its limit; a breach puts it beyond
for good, at a moment of the fourth hour. `python -m measured.abort_rates` prints the table of
docs/error-rates.md; it is a part of `make simulate`.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reports.estimates.seconds import Figures
from reports.watched import GAP_S, HISTORY_S, WINDOWS_S, end_beyond

Floats = NDArray[np.float64]

RATE = 50
HOURS, HOUR_S = 8, 3600
LOOK_S = 5
RUNS = 10
SIGMA = 0.5
"""Of the logarithms of latencies within a second."""
LEVEL = 0.1
"""The standard deviation of a level that swings, as a logarithm."""


class Case(NamedTuple):
    """Hold a kind of run: which share of its requests is beyond the limit, and which may be."""

    name: str
    allowed: float
    shares: Callable[[np.random.Generator, int, int], Floats]
    """Of a generator, so many seconds, and the second of the breach (none: beyond the end)."""


def latency_shares(draw: np.random.Generator, seconds: int, breach_s: int, *, correlation: float) -> Floats:
    """Return the shares over a limit of p95, a tenth above it, and from the breach on 30 % below."""
    noise = draw.normal(0, LEVEL * np.sqrt(1 - correlation**2), seconds)
    level = np.zeros(seconds)
    if correlation:
        level[0] = draw.normal(0, LEVEL)
        for second in range(1, seconds):
            level[second] = correlation * level[second - 1] + noise[second]
    level += np.where(np.arange(seconds) < breach_s, -np.log(1.1), np.log(1.3))
    return np.asarray(1 - special.ndtr(special.ndtri(0.95) - level / SIGMA), dtype=np.float64)


def stalled(draw: np.random.Generator, seconds: int, breach_s: int) -> Floats:
    """Return independent shares with a stall of 2 to 5 s every ten minutes, in which all are over."""
    shares = latency_shares(draw, seconds, breach_s, correlation=0)
    for start in range(300, seconds, 600):
        shares[start : start + int(draw.integers(2, 6))] = 1.0
    return shares


def error_shares(_: np.random.Generator, seconds: int, breach_s: int) -> Floats:
    """Return failures of 9 %, and from the breach on of 25 %."""
    return np.where(np.arange(seconds) < breach_s, 0.09, 0.25)


def bad_start(draw: np.random.Generator, seconds: int, breach_s: int) -> Floats:
    """Return failures as above, of which half in the first five seconds."""
    shares = error_shares(draw, seconds, breach_s)
    shares[:5] = 0.5
    return shares


CASES = (
    Case("p95, independent", 0.05, lambda *how: latency_shares(*how, correlation=0)),
    Case("p95, correlation 0.8", 0.05, lambda *how: latency_shares(*how, correlation=0.8)),
    Case("p95, correlation 0.95", 0.05, lambda *how: latency_shares(*how, correlation=0.95)),
    Case("p95, a stall of 2-5 s every 10 min", 0.05, stalled),
    Case("error rate", 0.10, error_shares),
    Case("error rate, half fail in the first 5 s", 0.10, bad_start),
)


def aborted_s(k: Floats, n: Floats, allowed: float) -> int | None:
    """Return when a run is ended of which k of n requests a second are beyond, None for never."""
    for now in range(LOOK_S, len(k) + 1, LOOK_S):
        for window_s in WINDOWS_S:
            first = now - window_s
            if first < 0:
                break
            if k[first:now].sum() <= allowed * n[first:now].sum():
                continue
            window = _figures(k[first:now], n[first:now])
            began = max(first - HISTORY_S, 0)
            quiet = first - GAP_S
            before = _figures(k[began:quiet], n[began:quiet]) if quiet - began >= GAP_S else window
            if end_beyond(window, before, allowed, 1) is not None:
                return now
    return None


def _figures(k: Floats, n: Floats) -> Figures:
    share = float(np.clip(k.sum() / n.sum(), 1 / (n.sum() + 1), n.sum() / (n.sum() + 1)))
    return Figures(k, n, share * (1 - share) / float(n.mean()), are_cases=True)


def rows(runs: int, hours: float) -> Iterator[tuple[str, int, list[int]]]:
    """Yield each case, how many clean runs were ended, and after how many seconds each breach was found."""
    seconds = round(hours * HOUR_S)
    n = np.full(seconds, float(RATE))
    for number, case in enumerate(CASES):
        draws = [np.random.default_rng([number, run]) for run in range(runs)]
        wrong, found = 0, []
        for draw in draws:
            clean = draw.binomial(RATE, case.shares(draw, seconds, seconds)).astype(np.float64)
            wrong += aborted_s(clean, n, case.allowed) is not None
            breach_s = int(draw.integers(seconds // 3, seconds // 2))
            broken = draw.binomial(RATE, case.shares(draw, seconds, breach_s)).astype(np.float64)
            ended_s = aborted_s(broken, n, case.allowed)
            found.append(seconds if ended_s is None else ended_s - breach_s)
        yield case.name, wrong, found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m measured.abort_rates", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    write = sys.stdout.write
    write(
        f"| runs of {HOURS} h, {RATE} requests/s | clean runs ended | breach found after, median (most) |\n"
    )
    write("|---|---:|---:|\n")
    for name, wrong, found in rows(runs, HOURS):
        write(f"| {name} | {wrong} of {runs} | {np.median(found):.0f} s ({max(found)} s) |\n")


if __name__ == "__main__":
    main()
