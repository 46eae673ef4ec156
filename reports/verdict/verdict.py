"""Reach the verdict on a run and write it down as the contents of verdict.json."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from plimsoll.run_files.files import VERDICT_SCHEMA_VERSION
from reports.estimates.loop_lag import without_lag
from reports.estimates.tables import (
    failures_by_error,
    metric_figures,
    recorded_figures,
    request_figures,
    transaction_figures,
)
from reports.load.histograms import PRECISION
from reports.load.run import Run
from reports.steady_state import only, steady_state
from reports.thresholds.entries import Threshold
from reports.thresholds.metrics import COUNT
from reports.thresholds.selectors import Target
from reports.thresholds.statement import WHOLE
from reports.verdict.capacity import find_capacity
from reports.verdict.judge import Judgement
from reports.verdict.scopes import words_of
from reports.verdict.trust import conclude, run_checks, window_checks, with_abort

SOURCES = {
    "intervals": {
        "kind": "intervals",
        "latency_resolution": f"log-linear histograms, {PRECISION}; shares over the limits are"
        " counted exactly; successes only",
    },
    "csv": {
        "kind": "csv",
        "latency_resolution": "Locust rounds response times: 1 ms below 100 ms, 10 ms below 1 s, 100 ms below"
        " 10 s, then 1 s; failed requests are included; the sampling error is not known",
    },
}
WHOLE_RUN = "whole run: cumulative CSV figures cannot be cut"
REQUEST_FIGURES = {
    "type": "request_type",
    "name": "name",
    "n": "n",
    "failures": "failures",
    "rps": "rps",
    "mean": "mean_ms",
    "p50": "p50_ms",
    "p95": "p95_ms",
    "p99": "p99_ms",
    "p99.9": "p99.9_ms",
    "max": "max_ms",
}
LOCUST_FIGURES = {"locust_p50": "locust_p50_ms", "locust_p95": "locust_p95_ms", "locust_p99": "locust_p99_ms"}
"""Locust's own percentiles of a run with intervals, so that anyone sees by how much they differ."""
CORRECTED_FIGURES = {f"corrected_{level}": f"corrected_{level}_ms" for level in ("p50", "p95", "p99")}
"""Latencies from the intended start, of a run with a schedule."""
CUMULATED_FIGURES = {
    f"cumulated_{name}": f"cumulated_{name}_ms" for name in ("mean", "p50", "p95", "p99", "max")
}
"""Times of transactions without think time."""
METRIC_FIGURES = {"kind": "kind", "name": "name", "n": "n", "value": "value"} | {
    name: name for name in ("passed", "failed", "min", "mean", "p50", "p75", "p95", "p99", "max")
}
ERROR_FIGURES = {
    "type": "request_type",
    "name": "name",
    "error": "error",
    "occurrences": "occurrences",
    "first_seen": "first_seen",
    "last_seen": "last_seen",
}
EXCEPTION_FIGURES = {"count": "count", "message": "message", "traceback": "traceback"}
COUNTS = frozenset({"n", "failures", "passed", "failed", "occurrences", "count"})


def reach_verdict(run: Run, thresholds: Sequence[Threshold]) -> dict[str, Any]:
    """Return the verdict on a run as JSON-ready values: no NaN, latencies in ms, None for unknown."""
    capacity = find_capacity(run, thresholds)
    step = capacity.judged if run.meta.is_search and capacity else None
    window = step.window if step else steady_state(run) if run.intervals else None
    part, lowered = (only(each, step.window) if step else each for each in (run, without_lag(run)))
    checks = [*run_checks(run, window), *window_checks(run, part, window, thresholds)]
    found = conclude(part, lowered, window, thresholds, checks)
    if run.meta.aborted_by is not None:
        found = with_abort(found, run.meta.aborted_by)
    is_cut = window is not None
    beside = LOCUST_FIGURES if run.intervals else {}
    if run.intervals.corrected is not None:
        beside = beside | CORRECTED_FIGURES
    whole_iterations = recorded_figures(run.iterations) if run.iterations else pd.DataFrame()
    return {
        "schema_version": VERDICT_SCHEMA_VERSION,
        "verdict": found.outcome.value,
        "reasons": [reason.facts for reason in found.reasons],
        "run": _run_facts(run),
        "source": SOURCES["intervals" if run.intervals else "csv"],
        "validity": [_plain(check.facts) for check in checks],
        "steady_state": {
            "from_s": round(window.from_s, 3) if window else 0.0,
            "to_s": round(window.to_s, 3) if window else run.duration_s,
            "method": window.method if window else WHOLE_RUN,
        },
        "capacity": capacity and capacity.facts,
        "thresholds": [_entry(each, is_cut=is_cut, is_step=step is not None) for each in found.judgements],
        "requests": _records(request_figures(run), REQUEST_FIGURES | beside),
        "iterations": _records(whole_iterations, REQUEST_FIGURES | CORRECTED_FIGURES),
        "transactions": _records(transaction_figures(run), REQUEST_FIGURES | CUMULATED_FIGURES),
        "metrics": _records(metric_figures(run), METRIC_FIGURES),
        "errors": _records(failures_by_error(run), ERROR_FIGURES),
        "exceptions": _records(run.exceptions, EXCEPTION_FIGURES),
    }


def _entry(judgement: Judgement, *, is_cut: bool, is_step: bool) -> dict[str, Any]:
    """Return a threshold as verdict.json has it; one on a count is of the whole run, but for a step."""
    statement, found = judgement.threshold.statement, judgement.estimate
    is_counted = statement.target is Target.SCHEDULE or statement.metric.kind is COUNT
    scope, window = "steady" if is_cut and (is_step or not is_counted) else "run", judgement.window
    if named := [each.scope for each in statement.measures if each.scope != WHOLE]:
        scope = words_of(named[0])
    ends = [None, None] if found is None else [_number(found.low), _number(found.high)]
    return {
        "source": judgement.source,
        "name": judgement.threshold.name,
        "metric": statement.metric.name,
        "selector": statement.selector.pattern,
        "scope": scope,
        "window_s": None if window is None or scope == "run" else [window.from_s, window.to_s],
        "value": None if found is None else _number(found.value),
        "unit": statement.metric.kind.unit,
        "limit": judgement.limit,
        "upper_limit": judgement.upper_limit,
        "operator": statement.operator,
        "interval": None if ends == [None, None] else ends,
        "method": "" if found is None else found.method,
        "correlation_s": None if found is None else _number(found.correlation_s),
        "n": 0 if found is None else found.n,
        "verdict": judgement.outcome.value,
        "reason": judgement.reason,
        "level": judgement.threshold.level,
    }


def _run_facts(run: Run) -> dict[str, Any]:
    meta, arrivals = run.meta, None
    if run.has_schedule:
        counted = {key: _number(value, count=True) for key, value in run.iterations_counted.items()}
        arrivals = {"planned": meta.arrivals.planned if meta.arrivals is not None else None, **counted}
    return {
        "id": meta.id,
        "profile": meta.profile,
        "started": meta.started,
        "duration_s": run.duration_s,
        "requests": run.made[0],
        "failures": run.made[1],
        "unfinished": int(run.intervals.total("unfinished")) if run.intervals else None,
        "host": meta.host,
        "load_model": meta.load_model,
        "arrivals": arrivals,
        "user_scale": meta.user_scale,
        "time_scale": meta.time_scale,
        "end_reason": meta.end_reason,
        "aborted_by": None if meta.aborted_by is None else asdict(meta.aborted_by),
    }


def _records(frame: pd.DataFrame, figures: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a table under the names of verdict.json; columns it lacks are None."""
    unknown = [None] * len(frame)
    columns = [frame[column].tolist() if column in frame else unknown for column in figures.values()]
    return [_plain(dict(zip(figures, row, strict=True))) for row in zip(*columns, strict=True)]


def _plain(values: Mapping[str, Any] | Mapping[Hashable, Any]) -> dict[str, Any]:
    return {
        str(key): _number(value, count=key in COUNTS) if isinstance(value, float) else value
        for key, value in values.items()
    }


def _number(value: float | None, *, count: bool = False) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if count else float(value)
