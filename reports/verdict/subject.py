"""Find what a threshold is about: which recording it is of, and which rows of that it means."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.intervals import BUSY, CHECK, COUNTER, GAUGE, RATE, TRANSACTION, TREND
from reports.errors import nearest_hint
from reports.estimates.loop_lag import IN_BROWSER
from reports.estimates.selecting import selected, values_of
from reports.load.intervals import Intervals
from reports.load.run import Run
from reports.thresholds.reading import takes_time, unmatched
from reports.thresholds.statement import CUSTOM, About, Clock, Condition, Statement, Target

REQUEST, ITERATION, METRIC = "request", "iteration", "metric"
KINDS = {"rate": (RATE,), "checks": (CHECK,)}
WORDS = {About.TYPE: "is of type", About.TAG: "has the tag", About.USER: "is of the user class"}


@dataclass(frozen=True)
class Subject:
    """Hold a recording, which of its rows are meant, and what they are of."""

    recording: Intervals
    rows: NDArray[np.bool_]
    what: str

    @property
    def types(self) -> list[str]:
        """Return the types of the rows that are meant, each once."""
        return self.recording.rows["request_type"][self.rows].unique().tolist()

    @property
    def is_metric(self) -> bool:
        """Tell whether it is about values that a journey measured itself."""
        return self.what == METRIC


def subject_of(statement: Statement, run: Run) -> Subject | None:
    """Return what a threshold is about in a run with intervals, None where nothing of it was recorded.

    A count is of requests, or of a counter where no request has such a name.
    """
    found = [
        Subject(recording, selected(statement.selector, recording.rows), what)
        for what, recording in _recordings(statement, run)
    ]
    if statement.selector.is_all and statement.target is not Target.METRICS:
        return found[0]
    return next((subject for subject in found if subject.rows.any()), None)


def is_timed_in_browser(statement: Statement, run: Run) -> bool:
    """Tell whether all that a threshold is about was timed by a browser, not by the event loop."""
    recorded = run.intervals.rows["request_type"].cat.categories
    if not statement.metric.is_latency or IN_BROWSER not in recorded:
        return False
    subject = subject_of(statement, run)
    return subject is not None and set(subject.types) == {IN_BROWSER}


def absent(statement: Statement, run: Run) -> str:
    """Say why a selector found nothing: a journey may declare a name and never come to request it."""
    recordings = _recordings(statement, run)
    what = " or ".join(dict.fromkeys(what for what, _ in recordings))
    tables = [each.rows for _, each in recordings] if run.intervals else [run.requests]
    for condition in statement.selector.conditions:
        known = sorted({value for rows in tables for value in values_of(condition, rows)})
        if not condition.negated and not condition.choose(known):
            return _unmatched(statement, condition, what, known, run)
    return f"no {what} matches {statement.selector.pattern!r}"


def _unmatched(statement: Statement, condition: Condition, what: str, known: list[str], run: Run) -> str:
    pattern, metric = condition.pattern, statement.metric
    if condition.about is not About.NAME:
        return f"no {what} {WORDS[condition.about]} {pattern!r}{nearest_hint(pattern, known)}"
    if metric.kind is CUSTOM and condition.choose(run.names):
        return takes_time(statement, pattern)
    if statement.selector.target is Target.REQUESTS and condition.choose(run.meta.request_names or ()):
        return f"no request to judge: {pattern!r} is known but was never requested"
    return unmatched(what, pattern, known)


def _recordings(statement: Statement, run: Run) -> list[tuple[str, Intervals]]:
    """Return what the threshold may be about, in the order of preference; there may be nothing in it."""
    metric, selector = statement.metric, statement.selector
    if statement.target is Target.METRICS:
        return [(METRIC, run.recorded(kind)) for kind in KINDS.get(metric.name, (TREND, GAUGE))]
    if statement.target is Target.TRANSACTIONS:
        return [(TRANSACTION, run.recorded(BUSY if metric.clock is Clock.CUMULATED else TRANSACTION))]
    if statement.target is Target.ITERATIONS:
        return [(ITERATION, run.iterations)]
    found, counters = [(REQUEST, run.intervals)], run.recorded(COUNTER)
    names_some = any(c.about is About.NAME and not c.negated for c in selector.conditions)
    if metric.name == "count" and counters and names_some:
        found.append((METRIC, counters))
    return found
