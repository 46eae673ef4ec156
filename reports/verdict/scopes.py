"""Find the parts of a run that a scope names."""

import math

from reports.errors import nearest_hint
from reports.load.run import Run, Stage
from reports.steady_state import SteadyState
from reports.thresholds.selectors import fitting
from reports.thresholds.statement import WHOLE, Part, Scope

SHORTEST_S = 2


def parts_of(scope: Scope, run: Run, steady: SteadyState) -> tuple[list[SteadyState], str]:
    """Return the parts of a run that a scope names, as many as there are stages of its name, or why none."""
    scale, end_s = run.meta.time_scale, steady.to_s
    from_s, to_s = scope.from_s * scale, scope.to_s * scale
    match scope.part:
        case Part.STEADY:
            return [steady], ""
        case Part.STAGE | Part.AFTER:
            stages, why_not = stages_of(scope.stage, run)
            spans = [(stage.from_s, stage.to_s) for stage in stages]
            if scope.part is Part.AFTER:
                spans = [(end, math.inf) for _, end in spans]
        case Part.FIRST:
            spans, why_not = [(steady.from_s, min(steady.from_s + to_s, end_s))], ""
        case Part.LAST:
            spans, why_not = [(max(end_s - to_s, 0.0), end_s)], ""
        case Part.ELAPSED:
            spans, why_not = [(from_s, to_s)], ""
    start_s, last_s = run.started_unix_s, max(steady.end_s, run.intervals.end_s)
    parts = []
    for begin, end in spans:
        first_s = math.ceil(start_s + begin)
        end_unix_s = int(min(start_s + end, last_s))
        if end_unix_s - first_s >= SHORTEST_S:
            parts.append(SteadyState(start_s, first_s, end_unix_s, f"{begin:g} s to {end:g} s"))
    if spans and not parts:
        why_not = f"the run has less than {SHORTEST_S} s {words_of(scope)}"
    return parts, why_not


def stages_of(pattern: str, run: Run) -> tuple[list[Stage], str]:
    """Return the stages of a run that fit a name or glob, or what there is."""
    names = [stage.name for stage in run.meta.stages]
    chosen = set(fitting(pattern, names))
    if chosen:
        return [stage for stage in run.meta.stages if stage.name in chosen], ""
    known = f"there are {', '.join(map(repr, dict.fromkeys(names)))}" if names else "it had none"
    return [], f"the run had no stage {pattern!r}: {known}{nearest_hint(pattern, names)}"


def words_of(scope: Scope) -> str:
    """Spell a scope, as verdict.json has it."""
    if scope == WHOLE:
        return "steady"
    times = {Part.FIRST: f"over first {scope.to_s:g} s", Part.LAST: f"over last {scope.to_s:g} s"}
    times[Part.ELAPSED] = f"over {scope.from_s:g} s to {scope.to_s:g} s"
    stages = {Part.STAGE: f"during {scope.stage}", Part.AFTER: f"after {scope.stage}"}
    words = (times | stages).get(scope.part, "")
    if scope.window_s is not None:
        words += f" {'worst' if scope.is_worst else 'each'} {scope.window_s:g} s"
    return words.strip()
