"""How limits stand while a load goes on, by the last minutes of its recording: pure, without a clock.

A limit that is to abort a run is looked at thousands of times, so that a look may be wrong in one of some
millions. It is broken where in a window of the last WINDOWS_S seconds the figure is beyond it by more than
the interval of that confidence, and in each third of the window: a stall of a few seconds is no lasting
breach. How much the figure swings by itself is told by the minutes before the window, not by the window; a
window of half a minute could not tell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from reports.estimates.seconds import Figures, figures
from reports.estimates.swings import swings
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.thresholds.entries import Threshold, is_watched
from reports.thresholds.statement import UPPER_LIMITS, WHOLE, Measure, Part, Statement
from reports.verdict.judge import judge_threshold, limit_of
from reports.verdict.measured import select
from reports.verdict.scopes import stages_of
from reports.wording import duration, quantity

WINDOWS_S = (30, 60, 120, 300)
SHORTEST_S = 5
SHOWN_S = 300
"""A limit is shown as the last five minutes are."""
HISTORY_S = 600
KEPT_S = HISTORY_S + max(WINDOWS_S)
"""How much of a recording is looked at."""
CONFIDENCE = 1 - 2e-7
PARTS = 3
GAP_S = 60
"""Between the minutes that tell how a figure swings, as many at least, and the window: a breach must not hide
itself by what it has done to them."""
LEAST_NOISE = 1e-9
"""Of means that are the same in all requests."""
FEWEST = 20
"""Requests in a window; of fewer nothing is said."""


@dataclass(frozen=True)
class Breach:
    """Hold in which window a limit is broken, by which figure, and the end of its interval next to it."""

    window_s: int
    value: float
    end: float
    unit: str

    @property
    def words(self) -> str:
        """Say it."""
        end = "at least" if self.end < self.value else "at most"
        figure = f"{quantity(self.value, self.unit)}, {end} {quantity(self.end, self.unit)}"
        return f"{figure}, in the last {duration(self.window_s)}"


def part_of(statement: Statement, run: Run, now_s: int) -> tuple[int, int]:
    """Return from when to when a limit is about what was recorded: Unix seconds, empty where it is not yet.

    That is without a planned ramp from zero and warm-up, or within the last begun stage that it names.
    """
    start_s, meta = run.started_unix_s, run.meta
    scope = statement.measures[0].scope
    if scope.part is Part.STAGE:
        begun = [stage for stage in stages_of(scope.stage, run)[0] if start_s + stage.from_s < now_s]
        if not begun:
            return now_s, now_s
        last = begun[-1]
        return math.ceil(start_s + last.from_s), min(now_s, math.floor(start_s + last.to_s))
    from_s, to_s = 0.0, math.inf
    if meta.stages:
        first, last = meta.stages[0], meta.stages[-1]
        from_s = first.to_s if first.from_load == 0 < first.to_load else first.from_s
        to_s = last.from_s if last.to_load == 0 < last.from_load else last.to_s
    begin_s = math.ceil(start_s + max(from_s, meta.warm_up_s))
    return begin_s, now_s if math.isinf(to_s) else min(now_s, math.floor(start_s + to_s))


def breach_of(statement: Statement, run: Run, now_s: int) -> Breach | None:
    """Return the shortest window up to now in which a limit is broken for sure, None for none."""
    begin_s, end_s = part_of(statement, run, now_s)
    if end_s < now_s:  # what it is about is over
        return None
    measure = statement.measures[0]
    own_s = measure.scope.window_s
    windows_s = WINDOWS_S if own_s is None else (max(math.ceil(own_s), SHORTEST_S),)
    plain = replace(statement, expression=replace(measure, scope=WHOLE))
    for side in plain.sides:
        if side.operator not in {"<", "<=", ">", ">="}:
            continue
        for window_s in windows_s:
            first_s = now_s - window_s
            if first_s < begin_s:
                break
            if found := _breach(side, run, (max(begin_s, first_s - HISTORY_S), first_s, now_s)):
                return found
    return None


def _breach(side: Statement, run: Run, edges: tuple[int, int, int]) -> Breach | None:
    """Return the breach of one side of a limit in the window between the last two edges."""
    began_s, first_s, end_s = edges
    window = _figures(side, run, first_s, end_s)
    if window is None or window.weights.sum() < FEWEST:
        return None
    quiet_s = first_s - GAP_S
    before = _figures(side, run, began_s, quiet_s) if quiet_s - began_s >= GAP_S else None
    if before is None or not before.weights.sum():
        before = window
    limit, sign, unit = _limit_of(side, run)
    end = end_beyond(window, before, limit, sign)
    factor = 100.0 if unit == "%" else 1.0
    return None if end is None else Breach(end_s - first_s, factor * window.value, factor * end, unit)


def end_beyond(window: Figures, before: Figures, limit: float, sign: int) -> float | None:
    """Return the end of the interval of a window next to its limit where all of it is beyond, else None.

    `before` is what came before the window, or the window itself; `sign` is 1 where no more than the limit is
    allowed, -1 where no less.
    """
    amounts, weights = (np.array_split(each, PARTS) for each in (window.amounts, window.weights))
    # A part without a request says nothing: it must not hide what the others say.
    beyond = [sign * (a.sum() - limit * w.sum()) for a, w in zip(amounts, weights, strict=True) if w.any()]
    if len(beyond) < PARTS - 1 or min(beyond) <= 0:
        return None
    end = window.value - sign * half_width(window, before, limit)
    if sign * (end - limit) <= 0 or (window.are_cases and not _is_rare(window, limit, sign)):
        return None
    return max(end, 0.0)


def half_width(window: Figures, before: Figures, limit: float) -> float:
    """Return the half width of the interval of a window, whose seconds swing as those before it did.

    At the limit, not at the figure: what is asked is how likely this window is where the limit just holds.
    """
    periods = len(window.weights)
    noise = max(before.noise, LEAST_NOISE)
    spread = swings(before.off[:, None], np.array([noise]), periods)
    chance = window.noise
    if window.are_cases:
        at_limit = min(max(limit, 1e-9), 1 - 1e-9)
        chance = at_limit * (1 - at_limit) / float(window.weights.mean())
    factor = np.array([chance / noise])
    half = spread.scaled(factor).plus(np.array([chance / periods])).half_widths(CONFIDENCE)
    return float(half[0])


def _is_rare(window: Figures, limit: float, sign: int) -> bool:
    """Tell whether so many cases, or so few, are unlikely at the limit even if all were independent."""
    k, n = round(float(window.amounts.sum())), round(float(window.weights.sum()))
    allowed = 1 - CONFIDENCE
    tail = special.bdtrc(k - 1, n, limit) if sign > 0 else special.bdtr(k, n, limit)
    return bool(k > 0 or sign < 0) and float(tail) < allowed


def _figures(side: Statement, run: Run, first_s: int, end_s: int) -> Figures | None:
    """Return what a limit is about in each second of a window, None where there is nothing of it."""
    window = SteadyState(run.started_unix_s, first_s, end_s, "window")
    chosen, _ = select(side, run, window)
    return None if chosen is None else figures(side, replace(chosen, cut=window.length_s))


def _limit_of(side: Statement, run: Run) -> tuple[float, int, str]:
    """Return the limit of the ratio that `figures_of` gives, 1 where no more is allowed, and its unit."""
    metric, sign = side.metric, 1 if side.operator in UPPER_LIMITS else -1
    if metric.level is not None:
        return 1 - metric.level / 100, sign, "%"
    limit = limit_of(side.limit, side, run)
    return (limit / 100 if metric.kind.unit == "%" else limit), sign, metric.kind.unit


def states_of(thresholds: Sequence[Threshold], run: Run, now_s: int) -> list[dict[str, Any]]:
    """Return how each limit stands by the last SHOWN_S seconds that it is about, by the judge's own rules."""
    return [_state_of(threshold, run, now_s) for threshold in thresholds]


def _state_of(threshold: Threshold, run: Run, now_s: int) -> dict[str, Any]:
    statement = threshold.statement
    state: dict[str, Any] = {
        "source": statement.source.strip(),
        "name": threshold.name,
        "level": threshold.level,
        "state": "INCONCLUSIVE",
        "value": None,
        "unit": statement.metric.kind.unit,
        "limit": limit_of(statement.limit, statement, run),
        "interval": None,
        "n": 0,
        "window_s": None,
        "reason": "",
    }
    expression = statement.expression
    if not is_watched(statement) or not isinstance(expression, Measure):
        return state | {"reason": "it is judged when the run has ended"}
    begin_s, end_s = part_of(statement, run, now_s)
    first_s = max(begin_s, end_s - SHOWN_S)
    if end_s - first_s < SHORTEST_S:
        return state | {"reason": "what it is about has not begun, or has just begun"}
    plain = replace(statement, expression=replace(expression, scope=WHOLE))
    window = SteadyState(run.started_unix_s, first_s, end_s, "last minutes")
    judged = judge_threshold(replace(threshold, statement=plain), run, window, run)
    found = judged.estimate
    ends = None if found is None or (found.low is None and found.high is None) else [found.low, found.high]
    return state | {
        "state": judged.outcome.value,
        "value": None if found is None else found.value,
        "interval": ends,
        "n": 0 if found is None else found.n,
        "window_s": [window.from_s, window.to_s],
        "reason": judged.reason,
    }


def abort_by(thresholds: Sequence[Threshold], run: Run, now_s: int) -> dict[str, str] | None:
    """Return the first limit with `abort` that is broken for sure, and why, None for none."""
    elapsed_s = now_s - run.started_unix_s
    for threshold in thresholds:
        if threshold.abort and elapsed_s >= threshold.after_s:
            breach = breach_of(threshold.statement, run, now_s)
            if breach is not None:
                source = threshold.statement.source.strip()
                return {"source": source, "text": _said(threshold.statement, breach)}
    return None


def _said(statement: Statement, breach: Breach) -> str:
    if statement.metric.level is None:
        return f"measured {breach.words}"
    allowed = quantity(100 - statement.metric.level, "%")
    beyond = "over" if statement.operator in UPPER_LIMITS else "not under"
    limit = statement.metric.kind.shown(statement.limit)
    return f"{breach.words}, were {beyond} {limit}, where {allowed} may be"
