"""The verdict as plain text, for terminals and logs, at most `WIDTH` columns wide."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from reports.render.rows import (
    ThresholdRow,
    capacity_words,
    failure_ratio,
    headline,
    most_frequent,
    step_rows,
    threshold_rows,
    worst_first,
)
from reports.wording import (
    UNKNOWN,
    count,
    display_width,
    duration,
    finite_or_none,
    format_number,
    padded,
    percent,
    reason_words,
    sanitize,
    shortened,
)

WIDTH = 100
NAME_WIDTH = 38
MAX_REQUESTS = 30
MAX_ERRORS = 5
MAX_METRICS = 20
COLOURS = {"PASS": "\x1b[1;32m", "FAIL": "\x1b[1;31m", "INCONCLUSIVE": "\x1b[1;33m"}
PLAIN = "\x1b[0m"
ALWAYS_EXPLAINED = {"littles_law", "user_concurrency"}
"""Checks whose figures the report explains, whatever they are."""
FIGURES = ("p50", "p95", "p99", "max")


def terminal_text(verdict: dict[str, Any], *, colour: bool = False) -> str:
    """Return the verdict as text: the verdict, what speaks against it, what holds, requests, errors.

    Names from outside are neutralised; ANSI colours appear only where `colour` asks for them.
    """
    rows = threshold_rows(verdict)
    parts = [
        _headline(verdict, rows, colour=colour),
        _reasons(verdict),
        _capacity(verdict["capacity"]),
        [line for row in rows if row.verdict != "PASS" for line in _open_threshold(row, colour=colour)],
        [line for row in rows if row.verdict == "PASS" for line in _passed_threshold(row, colour=colour)],
        [line for check in verdict["validity"] if not check["ok"] for line in _failed_check(check)],
        [line for check in verdict["validity"] for line in _note(check)],
        _request_table(verdict["requests"]),
        _request_table(verdict["transactions"], "transaction"),
        _metrics(verdict["metrics"]),
        _arrivals(verdict["run"]["arrivals"]),
        _errors(verdict["errors"]),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _headline(verdict: dict[str, Any], rows: Sequence[ThresholdRow], *, colour: bool) -> list[str]:
    run = verdict["run"]
    word = _coloured(verdict["verdict"], verdict["verdict"], colour=colour)
    failures, requests = finite_or_none(run["failures"]) or 0.0, finite_or_none(run["requests"]) or 0.0
    share = f" ({percent(failures / requests)})" if requests else ""
    facts = [
        shortened(sanitize(run["id"]), 40),
        f"{count(requests)} requests",
        f"{count(failures)} failed{share}",
        duration(run["duration_s"]),
    ]
    return [f"{word}  {headline(verdict, rows)}", *_wrapped(" · ".join(facts), "  ")]


def _reasons(verdict: dict[str, Any]) -> list[str]:
    """Return those reasons that no threshold or check below will repeat."""
    said = {each["source"] for each in verdict["thresholds"]} | {c["check"] for c in verdict["validity"]}
    new = [reason for reason in verdict["reasons"] if reason["subject"] not in said]
    return [line for reason in new for line in _wrapped(sanitize(reason_words(reason)), "  ")]


def _open_threshold(row: ThresholdRow, *, colour: bool) -> Iterator[str]:
    """Quote a failed or undecided threshold with its value, interval, limit and reason."""
    yield _first_line(row, colour=colour)
    facts = f"measured {row.value}, interval {row.interval}, limit {row.limit}, n {row.n}"
    yield from _wrapped(facts if row.margin == UNKNOWN else f"{facts} ({row.margin} the limit)", " " * 15)
    if row.reason:
        yield from _wrapped(row.reason, " " * 15)


def _passed_threshold(row: ThresholdRow, *, colour: bool) -> Iterator[str]:
    yield _first_line(row, colour=colour, note=f"{row.value} ({row.limit})")


def _first_line(row: ThresholdRow, *, colour: bool, note: str = "") -> str:
    level = "" if row.level == "fail" else f" [{sanitize(row.level, 10)}]"
    tail = f"  {note}" if note else ""
    source = shortened(row.source, WIDTH - 15 - display_width(level + tail))
    return f"  {_coloured(padded(row.verdict, 12), row.verdict, colour=colour)} {source}{level}{tail}"


def _failed_check(check: dict[str, Any]) -> list[str]:
    measured = f"{format_number(check['value'])} (limit {format_number(check['limit'])})"
    return _wrapped(f"check {sanitize(check['check'], 40)}: {sanitize(check['reason'])}: {measured}", "  ")


def _note(check: dict[str, Any]) -> list[str]:
    """Say what a check that holds found worth knowing of this run."""
    if not check["ok"] or not check["reason"] or check["check"] in ALWAYS_EXPLAINED:
        return []
    return _wrapped(f"note {sanitize(check['check'], 40)}: {sanitize(check['reason'])}", "  ")


def _capacity(capacity: dict[str, Any] | None) -> list[str]:
    """Say between which loads the capacity lies, and what became of each step."""
    if capacity is None:
        return []
    lines = _wrapped(f"capacity: {capacity_words(capacity)}", "  ")
    for step in step_rows(capacity):
        lines += _wrapped(f"{step.load:>12}  {padded(step.verdict, 12)}  {step.reason}".rstrip(), "  ")
    return lines


def _arrivals(arrivals: dict[str, Any] | None) -> list[str]:
    """Say what became of the iterations that a schedule wanted started."""
    if arrivals is None:
        return []
    planned = "" if arrivals["planned"] is None else f"{count(arrivals['planned'])} planned, "
    told = f"{count(arrivals['started'])} started, {count(arrivals['late'])} late"
    return [f"  iterations: {planned}{told}, {count(arrivals['dropped'])} dropped"]


def _metrics(metrics: Sequence[dict[str, Any]]) -> list[str]:
    """Say what the journeys measured in figures of their own."""
    lines = [_metric_line(metric) for metric in metrics[:MAX_METRICS]]
    rest = len(metrics) - MAX_METRICS
    return lines if rest <= 0 else [*lines, f"  … and {rest} more in the report"]


def _metric_line(metric: dict[str, Any]) -> str:
    start = (
        f"  {padded(metric['kind'], 8)}{padded(shortened(sanitize(metric['name']), NAME_WIDTH), NAME_WIDTH)}"
    )
    if metric["passed"] is not None:
        told = f"{percent(metric['value'] / 100)}, {count(metric['passed'])} of {count(metric['n'])}"
    elif metric["kind"] == "counter":
        told = format_number(metric["value"])
    else:
        told = ", ".join(f"{name} {format_number(metric[name])}" for name in ("min", "p50", "p95", "max"))
    return f"{start} {told}"


def _request_table(requests: Sequence[dict[str, Any]], what: str = "request") -> list[str]:
    if not requests:
        return []
    rate = "req/s" if what == "request" else "per s"
    header = f"  {padded(what, NAME_WIDTH)} {'n':>9} {'failed':>8} {rate:>8}" + "".join(
        f"{name + ' ms':>8}" for name in FIGURES
    )
    lines = [header, *map(_request_line, worst_first(requests)[:MAX_REQUESTS])]
    rest = len(requests) - MAX_REQUESTS
    return lines if rest <= 0 else [*lines, f"  … and {rest} more in the report"]


def _request_line(request: dict[str, Any]) -> str:
    kind = sanitize(request["type"] or "", 12)
    name = shortened(f"{kind} {sanitize(request['name'])}".strip(), NAME_WIDTH)
    latencies = "".join(f"{format_number(request[key]):>8}" for key in FIGURES)
    return (
        f"  {padded(name, NAME_WIDTH)} {count(request['n']):>9} {percent(failure_ratio(request)):>8}"
        f" {format_number(request['rps']):>8}{latencies}"
    )


def _errors(errors: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        shortened(
            f"  {count(error['occurrences']):>6} × {sanitize(error['type'] or '', 12)}"
            f" {sanitize(error['name'], 40)}: {sanitize(error['error'], 200)}",
            WIDTH,
        )
        for error in most_frequent(errors)[:MAX_ERRORS]
    ]
    rest = len(errors) - MAX_ERRORS
    return lines if rest <= 0 else [*lines, f"  … and {rest} more kinds of error in the report"]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _coloured(text: str, verdict: str, *, colour: bool) -> str:
    return f"{COLOURS[verdict]}{text}{PLAIN}" if colour else text
