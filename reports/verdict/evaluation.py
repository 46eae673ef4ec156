"""Evaluate what a statement is about: figures over parts of a run, their worst windows, and arithmetic.

The ends of a sum or product are those of its parts together, as these are not independent: a second in which
one request is slow is often one in which others are.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reports.estimates.estimate import Estimate
from reports.estimates.intervals import CONFIDENCE
from reports.estimates.rolling import ROLLING, figures
from reports.estimates.series import sampled_windows
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.thresholds.selectors import Target
from reports.thresholds.statement import (
    UPPER_LIMITS,
    WHOLE,
    Expression,
    Number,
    Operation,
    Part,
    Scope,
    Statement,
)
from reports.verdict.measured import figure_in, select
from reports.verdict.scopes import SHORTEST_S, parts_of, words_of
from reports.wording import plural

Floats = NDArray[np.float64]

SIGNS: dict[str, Callable[..., float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
MAX_LIMIT = 1e300
STRIDES = 30
"""How many times a window that slides goes on while it passes over its own length."""


@dataclass(frozen=True)
class Measured:
    """Hold the estimate in one part of a run, or why there is none, and the part that it is from.

    `part` is None where the figure is of the whole run; `words` say which window of many it is.
    """

    estimate: Estimate | None
    why_not: str = ""
    part: SteadyState | None = None
    words: str = ""


def evaluate(statement: Statement, run: Run, steady: SteadyState | None) -> list[Measured]:
    """Return what was measured in each part of the run that the statement is about, one at least."""
    scopes = [each.scope for each in statement.measures]
    windowed = next((scope for scope in scopes if scope.window_s is not None), None)
    if steady is None:
        if any(scope != WHOLE for scope in scopes):
            return [Measured(None, "Locust's CSV files do not tell when requests were made")]
        return [Measured(*_value(statement.expression, statement, run, None, CONFIDENCE))]
    scope = windowed or scopes[0]
    if windowed is None and isinstance(statement.expression, Operation):
        return [Measured(*_value(statement.expression, statement, run, steady, CONFIDENCE))]
    if scope.part is Part.AFTER or statement.target is Target.SCHEDULE:
        return [Measured(*_value(statement.expression, statement, run, steady, CONFIDENCE))]
    parts, why_not = parts_of(scope, run, steady)
    if not parts:
        return [Measured(None, why_not)]
    return [_in_part(statement, run, steady, part) for part in parts]


def _in_part(statement: Statement, run: Run, steady: SteadyState, part: SteadyState) -> Measured:
    """Return the estimate in a part, or in the worst of its windows.

    The interval of the worst of many is wider (Bonferroni), as one of them is beyond a limit by chance.
    """
    scopes = [each.scope for each in statement.measures]
    scope = next((scope for scope in scopes if scope.window_s is not None), scopes[0])
    if scope.window_s is None:
        found, why_not = _value(statement.expression, statement, run, steady, CONFIDENCE, (scope, part))
        return Measured(found, why_not, part)
    seconds = round(scope.window_s)
    stride = max(seconds // STRIDES, 1) if scope.is_worst else seconds
    blocks = math.ceil(seconds / stride) if stride else 0
    count = part.length_s // stride if stride else 0
    if seconds < SHORTEST_S or count < blocks:
        return Measured(None, f"{part.length_s} s of the run hold no whole window of {seconds} s", part)
    whole = replace(part, end_s=part.first_s + count * stride)
    windows = _Windows(statement, run, steady, whole, count, blocks)
    values = windows.values(statement.expression)
    if windows.why_not:
        return Measured(None, windows.why_not, part)
    known = values[~np.isnan(values)]
    if not len(known) or (len(known) < len(values) and not scope.is_worst):
        first = int(np.flatnonzero(np.isnan(values))[0]) * stride
        from_s = whole.from_s + first
        return Measured(None, f"no request from {from_s:.0f} s to {from_s + seconds:.0f} s", part)
    worst = int(np.nanargmax(values) if statement.operator in UPPER_LIMITS else np.nanargmin(values))
    first_s = whole.first_s + worst * stride
    window = SteadyState(part.start_unix_s, first_s, first_s + blocks * stride, part.method)
    tries = max(part.length_s // seconds, 1)
    words = f"the worst of {tries} {plural(tries, 'window', 'windows')} of {seconds} s is"
    words += f" {window.from_s:.0f} s to {window.to_s:.0f} s"
    confidence = 1 - (1 - CONFIDENCE) / tries
    found, why_not = _value(statement.expression, statement, run, steady, confidence, (scope, window))
    return Measured(found, why_not, window, words)


class _Windows:
    """The figures of an expression in all windows of a part; `why_not` says what cannot be had."""

    def __init__(
        self, statement: Statement, run: Run, steady: SteadyState, part: SteadyState, count: int, blocks: int
    ) -> None:
        self._statement, self._run, self._steady, self._part = statement, run, steady, part
        self._count, self._blocks = count, blocks
        self.why_not = ""

    def values(self, expression: Expression) -> Floats:
        """Return the figure of each window, NaN where nothing tells it."""
        nothing = np.full(self._count - self._blocks + 1, math.nan)
        match expression:
            case Number():
                return np.full(len(nothing), expression.value)
            case Operation():
                left, right = self.values(expression.left), self.values(expression.right)
                with np.errstate(divide="ignore", invalid="ignore"):
                    found: Floats = np.asarray(SIGNS[expression.sign](left, right), dtype=np.float64)
                return found
        if expression.scope.window_s is None:
            fixed, why_not = _value(expression, self._statement, self._run, self._steady, CONFIDENCE)
            self.why_not = self.why_not or (why_not if fixed is None else "")
            return nothing if fixed is None or fixed.value is None else np.full(len(nothing), fixed.value)
        metric, single = expression.metric, replace(self._statement, expression=expression)
        if expression.target is Target.SERIES:
            stride_s, part = self._part.length_s // self._count, self._part
            starts = range(part.first_s, part.first_s + len(nothing) * stride_s, stride_s)
            windows = [replace(part, first_s=s, end_s=s + self._blocks * stride_s) for s in starts]
            return sampled_windows(single, self._run, windows)
        if metric.level is None and metric.figure not in ROLLING:
            self.why_not = f"{metric.name!r} is not judged in windows"
            return nothing
        chosen, why_not = select(single, self._run, self._part)
        if chosen is None:
            self.why_not = self.why_not or why_not
            return nothing
        return figures(metric, replace(chosen, cut=self._count), self._blocks, 1)[0]


def _value(
    expression: Expression,
    statement: Statement,
    run: Run,
    steady: SteadyState | None,
    confidence: float,
    chosen: tuple[Scope, SteadyState] | None = None,
) -> tuple[Estimate | None, str]:
    """Return the estimate of an expression, or None and why there is none.

    `chosen` is the part of a run, or window, in which figures of its scope are taken.
    """
    match expression:
        case Number():
            value = expression.value
            return Estimate(value, value, value, 0, "a number"), ""
        case Operation():
            left, why_left = _value(expression.left, statement, run, steady, confidence, chosen)
            right, why_right = _value(expression.right, statement, run, steady, confidence, chosen)
            if left is None or right is None:
                return None, why_left if left is None else why_right
            return _combined(left, expression.sign, right)
    single, scope = replace(statement, expression=expression), expression.scope
    if expression is not statement.expression:
        # The limit is that of the whole, which no figure in it is held against.
        single = replace(single, operator="<", limit=MAX_LIMIT, upper_limit=None)
    if steady is None or expression.target is Target.SCHEDULE or scope.part is Part.AFTER:
        return figure_in(single, run, steady, confidence)
    if chosen is not None and chosen[0] == scope:
        return figure_in(single, run, chosen[1], confidence)
    parts, why_not = parts_of(scope, run, steady)
    if len(parts) != 1:
        return None, why_not or f"{words_of(scope)!r} is several stages; valid is one for each figure"
    return figure_in(single, run, parts[0], confidence)


def _combined(left: Estimate, sign: str, right: Estimate) -> tuple[Estimate | None, str]:
    """Return the estimate of a sum, difference, product or quotient, by the ends of both."""
    if left.value is None or right.value is None:
        return None, "one of its figures is not known"
    if sign == "/" and not (right.low and right.high):
        return None, "it divides by a figure that may be 0"
    value = SIGNS[sign](left.value, right.value)
    ends = [(left.low, left.high), (right.low, right.high)]
    low = high = None
    if None not in (*ends[0], *ends[1]):
        all_ends = [SIGNS[sign](a, b) for a in ends[0] for b in ends[1]]
        low, high = min(all_ends), max(all_ends)
    counted = [each.n for each in (left, right) if each.n]
    needed = [each.needed_n for each in (left, right) if each.needed_n is not None]
    correlations = [each.correlation_s for each in (left, right) if each.correlation_s is not None]
    return Estimate(
        value,
        low,
        high,
        min(counted, default=0),
        f"{left.method}; {right.method}" if left.method != right.method else left.method,
        needed_n=max(needed, default=None),
        doubt=left.doubt or right.doubt,
        correlation_s=max(correlations, default=None),
    ), ""
