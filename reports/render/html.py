"""The report: one HTML file that needs nothing else, neither network nor scripts."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from plimsoll.run_files.advice import GROUPS
from plimsoll.run_files.files import CLOSED, OPEN, PACED
from reports import wording
from reports.load.run import Run
from reports.render.charts import HEIGHT_PX, LinearScale, line_path
from reports.render.rows import (
    GLYPHS,
    capacity_words,
    deciding_row,
    failure_ratio,
    headline,
    most_frequent,
    step_rows,
    threshold_rows,
    worst_first,
)
from reports.render.time_charts import generator_charts, time_charts
from reports.render.timelines import (
    Timeline,
    rates_by_request,
    recorded_failures,
    recorded_rates_by_request,
    thinned,
)
from reports.wording import finite_or_none, sanitize, sanitize_lines, shortened

MAX_REQUESTS = 500
MAX_ERRORS = 50
MAX_EXCEPTIONS = 20
MAX_REASONS = 20
NAME_WIDTH = 64
SPARK_POINTS = 48
LOAD_MODELS = {
    CLOSED: "closed: users who wait for each answer and think before the next request",
    OPEN: "open: iterations start at a given rate, whether or not the service keeps up; corrected"
    " latencies count from the intended start",
    PACED: "paced: users who start at a pace of their own and wait for each answer; corrected"
    " latencies count from the intended start",
}

ENVIRONMENT = Environment(
    loader=PackageLoader("reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {
    "sanitize": sanitize,
    "sanitize_lines": sanitize_lines,
    "count": wording.count,
    "number": wording.format_number,
    "percent": wording.percent,
    "plural": wording.plural,
    "duration": wording.duration,
}
ENVIRONMENT.globals |= {"ADVICE_GROUPS": GROUPS, "GLYPHS": GLYPHS, "HEIGHT_PX": HEIGHT_PX}


@dataclass(frozen=True)
class RequestRow:
    """Hold one request of the table; figures as in verdict.json, `spark` the path of its requests/s."""

    kind: str
    name: str
    full_name: str
    failure_ratio: float
    figures: dict[str, Any]
    spark: str


def write_report(run: Run, verdict: dict[str, Any], path: Path) -> None:
    """Write the report of a run to `path` as UTF-8."""
    path.write_text(report_html(run, verdict), encoding="utf-8")


def report_html(run: Run, verdict: dict[str, Any]) -> str:
    """Return the report of a run: at most about a megabyte, whatever the run's names and errors are."""
    rows, capacity, load_model = threshold_rows(verdict), verdict["capacity"], verdict["run"]["load_model"]
    rates = recorded_rates_by_request(run) if run.intervals else rates_by_request(run)
    return ENVIRONMENT.get_template("report.html").render(
        verdict=verdict,
        answer=headline(verdict, rows),
        deciding=deciding_row(rows),
        reasons=[wording.reason_words(reason) for reason in verdict["reasons"][:MAX_REASONS]],
        capacity=capacity and {"words": capacity_words(capacity), "steps": step_rows(capacity)},
        thresholds=rows,
        load_model=LOAD_MODELS.get(load_model or "", sanitize(load_model or "not recorded")),
        lost_workers=[sanitize(worker, 80) for worker in run.meta.lost_workers],
        unfinished=run.intervals.total("unfinished"),
        warnings=[sanitize(warning) for warning in run.warnings],
        charts=time_charts(run, verdict),
        generator=generator_charts(run),
        requests=_rows(verdict["requests"], rates),
        requests_left_out=max(0, len(verdict["requests"]) - MAX_REQUESTS),
        iterations=_rows(verdict["iterations"], {}),
        transactions=_rows(verdict["transactions"], {}),
        metrics=verdict["metrics"][:MAX_REQUESTS],
        errors=_error_rows(run, verdict["errors"]),
        errors_left_out=max(0, len(verdict["errors"]) - MAX_ERRORS),
        exceptions=verdict["exceptions"][:MAX_EXCEPTIONS],
        exceptions_left_out=max(0, len(verdict["exceptions"]) - MAX_EXCEPTIONS),
        stages=run.meta.stages,
        load_unit="iterations/s" if run.meta.load_model == OPEN else "users",
        facts=_facts(run),
        advice=run.advice,
    )


def _rows(figures: Sequence[dict[str, Any]], rates: dict[tuple[str, str], Timeline]) -> list[RequestRow]:
    """Return the worst requests, each with the path of its requests/s where known."""
    end_s = max((timeline.end_s for timeline in rates.values()), default=1.0)
    rows = []
    for request in worst_first(figures)[:MAX_REQUESTS]:
        full_name, rate = sanitize(request["name"]), rates.get((request["type"] or "", request["name"]))
        row = RequestRow(
            kind=sanitize(request["type"] or "", 20),
            name=shortened(full_name, NAME_WIDTH),
            full_name=full_name,
            failure_ratio=failure_ratio(request),
            figures=request,
            spark="" if rate is None else _spark(rate, end_s),
        )
        rows.append(row)
    return rows


def _error_rows(run: Run, errors: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the most frequent errors, each with `spark`, the path of its failures a second where known."""
    over_time = recorded_failures(run)
    end_s = max((timeline.end_s for timeline in over_time.values()), default=1.0)
    rows = []
    for error in most_frequent(errors)[:MAX_ERRORS]:
        failures = over_time.get((error["type"] or "", error["name"], error["error"]))
        rows.append(error | {"spark": "" if failures is None else _spark(failures, end_s)})
    return rows


def _spark(rate: Timeline, end_s: float) -> str:
    (column,) = rate.columns.values()
    cut = thinned(rate.elapsed_s, column, SPARK_POINTS)
    highest = max((float(v) for v in cut.mean if v > 0), default=1.0)
    return line_path(cut.x, cut.mean, LinearScale(0.0, max(end_s, 1.0)), LinearScale(0.0, highest))


def _facts(run: Run) -> list[tuple[str, str]]:
    """Return what was run, with what, where and when; facts that are not known are left out."""
    meta = run.meta
    scale = f"users × {meta.user_scale:g}, time × {meta.time_scale:g}"
    if meta.user_scale == meta.time_scale == 1:
        scale = "full size"
    facts = {
        "run": meta.id,
        "profile": meta.profile,
        "journeys": ", ".join(meta.journeys),
        "shape": meta.shape,
        "planned": finite_or_none(meta.planned_duration_s) and wording.duration(meta.planned_duration_s),
        "scale": scale if meta.recorded else "",
        "host": meta.host,
        "started": meta.started,
        "ended": meta.ended,
        "ended because": meta.end_reason,
        "workers": ", ".join(meta.workers),
        "command": shlex.join(meta.command),
        "commit": meta.git_commit,
        "versions": _pairs(meta.versions),
        "environment": _pairs(meta.environment),
    }
    return [(name, sanitize(value, 1000)) for name, value in facts.items() if value]


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items() if value is not None)
