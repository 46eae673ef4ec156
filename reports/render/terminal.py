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
    plural,
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
    rows, checks, arrivals = threshold_rows(verdict), verdict["validity"], verdict["run"]["arrivals"]
    repeated = {each["source"] for each in verdict["thresholds"]} | {check["check"] for check in checks}
    reasons = [reason_words(each) for each in verdict["reasons"] if each["subject"] not in repeated]
    open_rows = [row for row in rows if row.verdict != "PASS"]
    passed = [(row, f"{row.value} ({row.limit})") for row in rows if row.verdict == "PASS"]
    failed, notes = [], []
    for check in checks:
        name, reason = sanitize(check["check"], 40), sanitize(check["reason"])
        if not check["ok"]:
            limit = format_number(check["limit"])
            failed += _wrapped(
                f"check {name}: {reason}: {format_number(check['value'])} (limit {limit})", "  "
            )
        elif check["reason"] and check["check"] not in ALWAYS_EXPLAINED:
            notes += _wrapped(f"note {name}: {reason}", "  ")
    iterations = []
    if arrivals is not None:
        planned = "" if arrivals["planned"] is None else f"{count(arrivals['planned'])} planned, "
        counts = ", ".join(f"{count(arrivals[key])} {key}" for key in ("started", "late", "dropped"))
        iterations = [f"  iterations: {planned}{counts}"]
    parts = [
        _headline(verdict, rows, colour=colour),
        [line for reason in reasons for line in _wrapped(sanitize(reason), "  ")],
        _capacity(verdict["capacity"]),
        [line for row in open_rows for line in _open_threshold(row, colour=colour)],
        [_first_line(row, colour=colour, note=note) for row, note in passed],
        failed,
        notes,
        _request_table(verdict["requests"]),
        _request_table(verdict["transactions"], "transaction"),
        _metrics(verdict["metrics"]),
        iterations,
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
        f"{count(requests)} {plural(requests, 'request')}",
        f"{count(failures)} failed{share}",
        duration(run["duration_s"]),
    ]
    lines = [f"{word}  {headline(verdict, rows)}", *_wrapped(" · ".join(facts), "  ")]
    if abort := run["aborted_by"]:
        lines += _wrapped(f"aborted after {duration(abort['at_s'])} by {sanitize(abort['source'])}", "  ")
    return lines


def _open_threshold(row: ThresholdRow, *, colour: bool) -> Iterator[str]:
    """Quote a failed or undecided threshold with its value, interval, limit and reason."""
    yield _first_line(row, colour=colour)
    facts = f"measured {row.value}, interval {row.interval}, limit {row.limit}, n {row.n}"
    yield from _wrapped(facts if row.margin == UNKNOWN else f"{facts} ({row.margin} the limit)", " " * 15)
    if row.reason:
        yield from _wrapped(row.reason, " " * 15)


def _first_line(row: ThresholdRow, *, colour: bool, note: str = "") -> str:
    level = "" if row.level == "fail" else f" [{sanitize(row.level, 10)}]"
    tail = f"  {note}" if note else ""
    source = shortened(row.source, WIDTH - 15 - display_width(level + tail))
    return f"  {_coloured(padded(row.verdict, 12), row.verdict, colour=colour)} {source}{level}{tail}"


def _capacity(capacity: dict[str, Any] | None) -> list[str]:
    """Say between which loads the capacity lies, and what became of each step."""
    if capacity is None:
        return []
    lines = _wrapped(f"capacity: {capacity_words(capacity)}", "  ")
    for step in step_rows(capacity):
        lines += _wrapped(f"{step.load:>12}  {padded(step.verdict, 12)}  {step.reason}".rstrip(), "  ")
    return lines


def _metrics(metrics: Sequence[dict[str, Any]]) -> list[str]:
    """Say what the journeys measured in figures of their own."""
    lines = []
    for metric in metrics[:MAX_METRICS]:
        name = padded(shortened(sanitize(metric["name"]), NAME_WIDTH), NAME_WIDTH)
        if metric["passed"] is not None:
            figures = f"{percent(metric['value'] / 100)}, {count(metric['passed'])} of {count(metric['n'])}"
        elif metric["kind"] == "counter":
            figures = format_number(metric["value"])
        else:
            figures = ", ".join(f"{key} {format_number(metric[key])}" for key in ("min", "p50", "p95", "max"))
        lines.append(f"  {padded(metric['kind'], 8)}{name} {figures}")
    return [*lines, *_left_out(metrics, MAX_METRICS)]


def _request_table(requests: Sequence[dict[str, Any]], what: str = "request") -> list[str]:
    if not requests:
        return []
    rate = "req/s" if what == "request" else "per s"
    header = f"  {padded(what, NAME_WIDTH)} {'n':>9} {'failed':>8} {rate:>8}"
    lines = [header + "".join(f"{name + ' ms':>8}" for name in FIGURES)]
    for request in worst_first(requests)[:MAX_REQUESTS]:
        kind = sanitize(request["type"] or "", 12)
        name = shortened(f"{kind} {sanitize(request['name'])}".strip(), NAME_WIDTH)
        latencies = "".join(f"{format_number(request[key]):>8}" for key in FIGURES)
        lines.append(
            f"  {padded(name, NAME_WIDTH)} {count(request['n']):>9} {percent(failure_ratio(request)):>8}"
            f" {format_number(request['rps']):>8}{latencies}"
        )
    return [*lines, *_left_out(requests, MAX_REQUESTS)]


def _errors(errors: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    for error in most_frequent(errors)[:MAX_ERRORS]:
        kind, name = sanitize(error["type"] or "", 12), sanitize(error["name"], 40)
        line = f"  {count(error['occurrences']):>6} × {kind} {name}: {sanitize(error['error'], 200)}"
        lines.append(shortened(line, WIDTH))
    return [*lines, *_left_out(errors, MAX_ERRORS, "kind of error", "kinds of error")]


def _left_out(rows: Sequence[object], limit: int, *what: str) -> list[str]:
    rest = len(rows) - limit
    more = f"more {plural(rest, *what)}" if what else "more"
    return [f"  … and {rest} {more} in the report"] if rest > 0 else []


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _coloured(text: str, verdict: str, *, colour: bool) -> str:
    return f"{COLOURS[verdict]}{text}{PLAIN}" if colour else text
