"""What a run can send, as far as it is known before: thresholds about anything else are refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.errors import nearest_hint
from reports.thresholds.entries import Threshold
from reports.thresholds.metrics import CUSTOM, LATENCY, Metric
from reports.thresholds.selectors import ALL, ITERATIONS, TRANSACTIONS, Target, fitting
from reports.thresholds.statement import Measure, Statement

NO_STAGES = (
    ": the load of this run has no stages; name a time, such as 'over last 5 min', or choose a shape with it"
)


@dataclass(frozen=True)
class Known:
    """Hold what a run can send, as far as it is known before, by names; user classes, too.

    All but those of requests and user classes may be globs: `*` where any may come. Selectors are not looked
    at where `requests` is None.
    """

    requests: Sequence[str] | None
    metrics: Sequence[str] = ()
    users: Sequence[str] = ()
    tags: Sequence[str] = (ALL,)
    transactions: Sequence[str] = (ALL,)
    iterations: Sequence[str] = (ALL,)
    stages: Sequence[str] = (ALL,)


def validate(thresholds: Sequence[Threshold], known: Known) -> list[str]:
    """Return a fault for every threshold that names what the run does not know, with the nearest names."""
    return [
        f"threshold {statement.source!r}: {fault}"
        for statement in (threshold.statement for threshold in thresholds)
        for fault in [next(_unknown(statement, known), None)]
        if fault
    ]


def unmatched(what: str, pattern: str, known_names: Sequence[str]) -> str:
    """Say that a pattern matches no name of *what*, what there is, and what may have been meant."""
    hint = nearest_hint(pattern, known_names)
    if not hint and known_names:
        shown = ", ".join(repr(name) for name in sorted(known_names)[:5])
        hint = f"; there are {shown}{', …' if len(known_names) > 5 else ''}"
    return f"no {what} is named {pattern!r}{hint}"


def _unknown(statement: Statement, known: Known) -> Iterator[str]:
    """Yield a fault for each stage and each condition that fits nothing known."""
    # Where no unit of a limit tells times from other figures, a name may be that of either.
    is_either = statement.baseline is not None or not isinstance(statement.expression, Measure)
    for measure in statement.measures:
        if measure.scope.stage and not _is_known(measure.scope.stage, known.stages):
            why = NO_STAGES if not known.stages else ""
            yield unmatched("stage", measure.scope.stage, known.stages) + why
        if measure.target is not Target.SERIES and known.requests is not None:
            yield from _unselected(measure, known, known.requests, is_either=is_either)


def _unselected(measure: Measure, known: Known, requests: Sequence[str], *, is_either: bool) -> Iterator[str]:
    metric, is_about_metrics = measure.metric, measure.target is Target.METRICS
    is_either = is_either or metric.of is not None or metric.name in {"count", "variation"}
    prefixed = {
        "user:": ("user class", known.users or (ALL,)),
        "tag:": ("tag", known.tags),
        TRANSACTIONS: ("transaction", known.transactions),
        ITERATIONS: ("iteration", known.iterations),
    }
    for condition in measure.selector.conditions:
        what, names = prefixed.get(condition.prefix, ("", (ALL,)))
        if not _is_known(condition.pattern, names):
            yield unmatched(what, condition.pattern, names)
        if condition.prefix or measure.selector.is_all:
            continue
        is_request, is_metric = (
            bool(condition.choose(requests)),
            _is_known(condition.pattern, known.metrics),
        )
        if metric.kind is CUSTOM and is_request:
            yield takes_time(metric, condition.pattern)
        elif is_about_metrics and not is_metric:
            # Without a unit it may just as well be a misspelt request.
            hint = f"; of a request {metric.name} takes {LATENCY.wanted}" if metric.kind is CUSTOM else ""
            yield f"{unmatched('metric', condition.pattern, known.metrics)}{hint}"
        elif not is_about_metrics and not is_request and not (is_either and is_metric):
            yield unmatched("request", condition.pattern, requests)


def takes_time(metric: Metric, name: str) -> str:
    """Say that a limit on requests needs a unit of time."""
    return f"{name!r} is a request, whose {metric.name} takes {LATENCY.wanted}"


def _is_known(pattern: str, globs: Sequence[str]) -> bool:
    return bool(fitting(pattern, globs)) or any(fitting(glob, [pattern]) for glob in globs)
