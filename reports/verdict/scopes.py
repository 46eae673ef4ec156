"""Find the windows that a threshold's scope means, and in them the one that decides."""

import math
from dataclasses import dataclass, replace

import numpy as np

from reports.errors import nearest_hint
from reports.estimates.intervals import CONFIDENCE
from reports.estimates.rolling import figures
from reports.estimates.selection import Selection
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.thresholds.scope import Scope
from reports.thresholds.selector import Condition
from reports.thresholds.statement import UPPER_LIMITS, Statement
from reports.wording import plural

STRIDES = 30
"""How many times a window that slides goes on while it passes over its own length."""
SHORTEST_S = 2


@dataclass(frozen=True)
class Window:
    """Hold the window that decides, the confidence of its interval, and words that say which it is."""

    of: SteadyState
    confidence: float = CONFIDENCE
    words: str = ""


def parts_of(scope: Scope, run: Run, steady: SteadyState) -> tuple[list[SteadyState], str]:
    """Return the parts of a run that a scope names, as many as there are stages of its name, or why none."""
    if scope.is_steady:
        return [steady], ""
    scope = scope.scaled(run.meta.time_scale)
    end_s = steady.to_s
    spans = [(scope.from_s, end_s if scope.to_s is None else scope.to_s)]
    if scope.last_s is not None:
        spans = [(max(end_s - scope.last_s, 0.0), end_s)]
    if scope.stage is not None:
        names = [stage.name for stage in run.meta.stages]
        chosen = set(Condition(scope.stage).choose(names))
        spans = [(stage.from_s, stage.to_s) for stage in run.meta.stages if stage.name in chosen]
        if not spans:
            known = f"there are {', '.join(map(repr, names))}" if names else "it had none"
            return [], f"the run had no stage {scope.stage!r}: {known}{nearest_hint(scope.stage, names)}"
    start_s, parts = run.started_unix_s, []
    last_s = max(steady.end_s, run.intervals.end_s)
    for from_s, to_s in spans:
        first_s, end = math.ceil(start_s + from_s), min(math.floor(start_s + to_s), last_s)
        if end - first_s < SHORTEST_S:
            continue
        parts.append(SteadyState(start_s, first_s, end, f"{from_s:g} s to {to_s:g} s"))
    return parts, "" if parts else f"the run has no {SHORTEST_S} s of {scope.text!r}"


def deciding_window(statement: Statement, chosen: Selection, scope: Scope) -> tuple[Window | None, str]:
    """Return the worst of the windows of a part, or None and why there is none.

    The interval of the worst of many is wider (Bonferroni), as one of them is beyond a limit by chance.
    """
    length_s = scope.each_s or scope.worst_s
    part = chosen.window
    if length_s is None:
        return Window(part), ""
    seconds = round(length_s)
    stride = seconds if scope.each_s else max(seconds // STRIDES, 1)
    blocks = 1 if scope.each_s else math.ceil(seconds / stride)
    count = part.length_s // stride
    if seconds < SHORTEST_S or count < blocks:
        return None, f"{part.length_s} s of the run hold no whole window of {length_s:g} s"
    whole = replace(part, end_s=part.first_s + count * stride)
    values, n = figures(statement.metric, replace(chosen, window=whole, cut=count), blocks, 1)
    ends = [(whole.first_s + k * stride, whole.first_s + (k + blocks) * stride) for k in range(len(values))]
    empty = np.flatnonzero(n == 0)
    if scope.each_s and len(empty) and statement.metric.figure not in {"rps", "count", "failures"}:
        from_s, to_s = (end - part.start_unix_s for end in ends[int(empty[0])])
        return None, f"no {chosen.what} from {from_s:.0f} s to {to_s:.0f} s"
    if np.isnan(values).all():
        return None, f"no {chosen.what} to judge in {part.from_s:.0f} s to {part.to_s:.0f} s"
    is_upper = statement.operator in UPPER_LIMITS
    worst = int(np.nanargmax(values) if is_upper else np.nanargmin(values))
    window = SteadyState(part.start_unix_s, *ends[worst], part.method)
    tries = max(part.length_s // seconds, 1)
    words = f"the worst of {tries} {plural(tries, 'window', 'windows')} of {length_s:g} s is"
    words += f" {window.from_s:.0f} s to {window.to_s:.0f} s"
    return Window(window, 1 - (1 - CONFIDENCE) / tries, words), ""
