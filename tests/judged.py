"""Judge one statement on a run, and take the figures of the judgement apart."""

from typing import Any

from reports.estimates.loop_lag import without_lag
from reports.load.run import Run
from reports.steady_state import SteadyState, steady_state
from reports.thresholds.entries import Threshold
from reports.thresholds.grammar import parse
from reports.verdict.checks import Check
from reports.verdict.judge import Judgement, judge_threshold
from reports.verdict.trust import run_checks, window_checks
from reports.wording import reason_words


def thresholds(*sources: str) -> list[Threshold]:
    """Return the thresholds of these statements, also of those with a limit the wrong way round."""
    return [Threshold(parse(source)) for source in sources]


def judged(run: Run, source: str) -> Judgement:
    """Return the judgement on one threshold within the judged window."""
    (threshold,) = thresholds(source)
    return judge_threshold(threshold, run, steady_state(run) if run.intervals else None, without_lag(run))


def checks_of(run: Run, window: SteadyState | None, *sources: str) -> dict[str, Check]:
    """Return all checks of a run by name, with these thresholds."""
    limits = thresholds(*sources) if sources else []
    checks = [*run_checks(run, window), *window_checks(run, run, window, limits)]
    return {check.check: check for check in checks}


def reasons_of(verdict: dict[str, Any]) -> list[str]:
    """Return the reasons of a verdict in words."""
    return [reason_words(reason) for reason in verdict["reasons"]]


def numbers(judgement: Judgement) -> tuple[float | None, float | None, float | None, int]:
    """Return value, interval and n of a judgement."""
    found = judgement.estimate
    assert found is not None
    return found.value, found.low, found.high, found.n
