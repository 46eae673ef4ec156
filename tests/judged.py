"""Judge one statement on a run, and take the figures of the judgement apart."""

import json

from reports.load.run import Run
from reports.steady_state import steady_state
from reports.thresholds.reading import parse_thresholds
from reports.verdict.judge import Judgement, judge_threshold


def judged(run: Run, source: str) -> Judgement:
    """Return the judgement on one threshold within the judged window."""
    (threshold,) = parse_thresholds(json.dumps({"thresholds": [source]}))
    return judge_threshold(threshold, run, steady_state(run) if run.intervals else None)


def numbers(judgement: Judgement) -> tuple[float | None, float | None, float | None, int]:
    """Return value, interval and n of a judgement."""
    found = judgement.estimate
    assert found is not None
    return found.value, found.low, found.high, found.n
