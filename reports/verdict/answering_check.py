"""Check that the service kept answering: users who all hang leave nothing that a percentile could show.

A silence is a stretch of seconds with users in which no request was finished. Silences are ordinary under a
small load, so each is held against what chance makes: with b of T seconds busy, each as likely as another,
the chance of a silence of g seconds or more is at most (b + 1) * C(T - g, b) / C(T, b), whatever the rate.
What chance makes in 1 of 1000 runs is a false alarm. Busy seconds come in bursts where few users think for
long, so a silence must also be three times as long as any other, and over five seconds.

More is known where the clients tell what is in flight. A silence up to the end with something in flight all
the time is no chance of thinking users: it need only be three times as long as the slowest answer. One that
ended is a pause if nothing was in flight, else a stall, which the latencies tell: it counts where it took
over 5 % of the judged time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from reports.load.histogram import middle_ms
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check

FALSE_ALARMS = 0.001
SHORTEST_S = 5.0
TIMES_OTHERS = 3
STALL_RATIO = 0.05

TIMES_SLOWEST = 3
IN_FLIGHT_RATIO = 0.5

Seconds = NDArray[np.bool_]


@dataclass(frozen=True)
class Silence:
    """Hold how long nothing was finished, and how long would have been ordinary."""

    length_s: float
    limit_s: float
    ended: bool = True


def kept_answering(run: Run, window: SteadyState) -> Iterator[Check]:
    """Yield the check of the silence that is most beyond its limit; both in seconds."""
    peopled = _peopled(run, window)
    if not peopled.any():
        return
    worst = worst_silence(_answered(run, window), peopled, _under_way(run, window), _slowest_s(run))
    where = "" if worst.ended else " up to the end of the judged time"
    reason = f"no request was finished for {worst.length_s:.0f} s{where}, while users were running"
    ok = worst.length_s <= worst.limit_s
    yield Check("kept_answering", worst.length_s, worst.limit_s, ok, "" if ok else reason)


def worst_silence(
    answered: Seconds, peopled: Seconds, under_way: Seconds | None, slowest_s: float
) -> Silence:
    """Return the silence that is most beyond its limit, or the nearest to it.

    The arrays mark the seconds with an answer, with users, and with a request in flight (None: not known).
    """
    found = silences_of(peopled & ~answered)
    chance_s = float(longest_by_chance(int((answered & peopled).sum()), int(peopled.sum())))
    held = [Silence(0.0, SHORTEST_S)]
    second, first = sorted([0, 0, *(end - start for start, end in found)])[-2:]
    for start, end in found:
        other = second if end - start == first else first
        limit_s = max(SHORTEST_S, chance_s, float(TIMES_OTHERS * other))
        waited = 1.0 if under_way is None else under_way[start:end].mean()
        if end == len(peopled):
            if under_way is not None and waited == 1:
                limit_s = min(limit_s, max(SHORTEST_S, TIMES_SLOWEST * slowest_s))
            held.append(Silence(float(end - start), limit_s, ended=False))
        elif waited > IN_FLIGHT_RATIO:
            held.append(Silence(float(end - start), max(limit_s, STALL_RATIO * len(peopled))))
    return max(held, key=lambda silence: silence.length_s / silence.limit_s)


def longest_by_chance(busy: int, seconds: int) -> int:
    """Return the longest silence that chance makes in more than 1 of 1000 runs; 0 with nothing answered."""
    if not busy:
        return 0
    silence = np.arange(1, seconds - busy + 1)
    chance = (
        math.log(busy + 1)
        + (gammaln(seconds - silence + 1) - gammaln(seconds - silence - busy + 1))
        - (gammaln(seconds + 1) - gammaln(seconds - busy + 1))
    )
    return int((chance >= math.log(FALSE_ALARMS)).sum())


def silences_of(silent: Seconds) -> list[tuple[int, int]]:
    """Return each stretch of silent seconds as its first second and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], silent, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _answered(run: Run, window: SteadyState) -> Seconds:
    """Mark the seconds of the window in which any request was finished, with whatever result."""
    ended = run.intervals.seconds("ended_s")[run.intervals.column("n") > 0]
    return np.isin(np.arange(window.first_s, window.end_s), ended)


def _peopled(run: Run, window: SteadyState) -> Seconds:
    """Mark the seconds of the window in which users were running; all where that is unknown."""
    seen = run.stages.dropna(subset=["unix_s", "users"])
    users = seen["users"].groupby(np.floor(seen["unix_s"])).max()
    by_second = users.reindex(np.arange(window.first_s, window.end_s)).ffill().bfill().fillna(1.0)
    return np.asarray(by_second > 0)


def _under_way(run: Run, window: SteadyState) -> Seconds | None:
    """Mark the seconds of the window with a request in flight; None where no client tells."""
    busy_s = run.health["unix_s"][run.health["in_flight"] > 0]
    if busy_s.empty:
        return None
    # A row tells of the second before it was written, which lies in two of the clock's.
    told = np.concatenate((np.floor(busy_s), np.floor(busy_s) - 1))
    return np.isin(np.arange(window.first_s, window.end_s), told)


def _slowest_s(run: Run) -> float:
    """Return how long the slowest request took that was finished."""
    recording = run.intervals
    failed_ms = float(middle_ms(recording.failed.width)) if len(recording.failed.buckets) else 0.0
    return max(float(np.nanmax(recording.column("max_ms"), initial=0.0)), failed_ms) / 1000
