"""A verdict as continuous integration reads it: JUnit XML, a Markdown summary, annotations of GitHub Actions.

Names of test cases hold no measured figure, so that the history of a case goes on from run to run.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from plimsoll.run_files.exit_status import Outcome
from reports.render.rows import GLYPHS, ThresholdRow, headline, threshold_rows
from reports.wording import (
    count,
    duration,
    finite_or_none,
    format_number,
    percent,
    quantity,
    reason_words,
    sanitize,
)

MAX_SUMMARY = 60_000
"""Characters: a comment on GitHub takes 65,536, of which the one who comments wants some."""
MAX_ANNOTATIONS = 10
"""As many of a kind are shown for a step."""
VALIDITY = "run validity"
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&$-])")
PERCENT_ENCODED = {"%": "%25", "\r": "%0D", "\n": "%0A"}


def junit_xml(verdict: dict[str, Any], inconclusive: str = "skipped") -> bytes:
    """Return the verdict as JUnit XML: a test case for each threshold, and one for the validity of the run.

    What is INCONCLUSIVE is `skipped`, with its reason, or an `error` where `inconclusive` says so. A broken
    limit that only warns is skipped.
    """
    run = verdict["run"]
    suite = ET.Element(
        "testsuite", name=_xml(run["profile"] or run["id"]), timestamp=(run["started"] or "")[:19]
    )
    properties = ET.SubElement(suite, "properties")
    for name in ("id", "host", "requests", "failures", "load_model", "end_reason"):
        if run[name] is not None:
            ET.SubElement(properties, "property", name=name, value=_xml(run[name]))
    ET.SubElement(properties, "property", name="verdict", value=verdict["verdict"])
    seen: dict[str, int] = {}
    for entry, row in _with_rows(verdict):
        seen[row.source] = seen.get(row.source, 0) + 1
        name = row.source if seen[row.source] == 1 else f"{row.source} #{seen[row.source]}"
        case = ET.SubElement(suite, "testcase", classname="plimsoll.thresholds", name=_xml(name), time="0")
        said = _xml(_figures(entry, row))
        if row.verdict == Outcome.FAIL:
            kind = "failure" if row.level == "fail" else "skipped"
            ET.SubElement(case, kind, message=said if kind == "failure" else f"warning: {said}").text = said
        elif row.verdict == Outcome.INCONCLUSIVE:
            _undecided(case, said, inconclusive if row.level == "fail" else "skipped")
        ET.SubElement(case, "system-out").text = said
    case = ET.SubElement(suite, "testcase", classname="plimsoll.run", name=VALIDITY, time="0")
    doubts = [reason for reason in verdict["reasons"] if _is_of_the_run(reason)]
    if doubts:
        said = _xml("\n".join(reason_words(reason) for reason in doubts))
        _undecided(case, said, inconclusive)
    seconds = format(finite_or_none(run["duration_s"]) or 0.0, ".3f")
    totals = {"tests": str(len(suite.findall("testcase"))), "time": seconds}
    totals |= {f"{kind}s": str(len(suite.findall(f"testcase/{kind}"))) for kind in ("failure", "error")}
    totals["skipped"] = str(len(suite.findall("testcase/skipped")))
    root = ET.Element("testsuites", name="plimsoll")
    for key, value in totals.items():
        root.set(key, value)
        suite.set(key, value)
    root.append(suite)
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml


def summary(verdict: dict[str, Any]) -> str:
    """Return the verdict in Markdown, of at most MAX_SUMMARY characters: what is open or broken first."""
    rows, run = threshold_rows(verdict), verdict["run"]
    word = verdict["verdict"]
    failures, requests = finite_or_none(run["failures"]) or 0.0, finite_or_none(run["requests"]) or 0.0
    facts = [
        f"{count(requests)} requests",
        f"{count(failures)} failed{f' ({percent(failures / requests)})' if requests else ''}",
        duration(run["duration_s"]),
        *([_escaped(run["host"])] if run["host"] else []),
        *([f"profile {_escaped(run['profile'])}"] if run["profile"] else []),
    ]
    lines = [f"## {GLYPHS[word]} {word}: {_escaped(headline(verdict, rows))}", "", " · ".join(facts), ""]
    doubts = [reason for reason in verdict["reasons"] if _is_of_the_run(reason)]
    lines += [f"- {_escaped(reason_words(reason))}" for reason in doubts]
    lines += [""] if doubts else []
    lines += _table([row for row in rows if row.verdict != Outcome.PASS])
    held = [row for row in rows if row.verdict == Outcome.PASS]
    if held:
        lines += ["<details>", f"<summary>{len(held)} of {len(rows)} limits hold</summary>", ""]
        lines += [*_table(held), "</details>", ""]
    if verdict["requests"]:
        lines += ["<details>", "<summary>Requests</summary>", "", *_requests(verdict["requests"])]
        lines += ["</details>", ""]
    return _cut(lines)


def annotations(verdict: dict[str, Any]) -> list[str]:
    """Return what GitHub Actions shows of a verdict beside the change: one line each, the worst first."""
    kinds = {Outcome.FAIL: "error", Outcome.INCONCLUSIVE: "warning"}
    said = []
    for entry, row in _with_rows(verdict):
        if row.verdict in kinds:
            kind = kinds[Outcome(row.verdict)] if row.level == "fail" else "notice"
            said.append(_command(kind, f"{row.verdict}: {row.source}", _figures(entry, row)))
    title = f"{verdict['verdict']}: {VALIDITY}"
    doubts = [reason_words(reason) for reason in verdict["reasons"] if _is_of_the_run(reason)]
    said += [_command("warning", title, doubt) for doubt in doubts]
    return [
        line
        for kind in ("error", "warning", "notice")
        for line in [each for each in said if each.startswith(f"::{kind} ")][:MAX_ANNOTATIONS]
    ]


def _with_rows(verdict: dict[str, Any]) -> Iterator[tuple[dict[str, Any], ThresholdRow]]:
    """Yield each threshold as verdict.json has it, with its words, in the order of the thresholds file."""
    for entry in verdict["thresholds"]:
        yield entry, threshold_rows({"thresholds": [entry]})[0]


def _figures(entry: dict[str, Any], row: ThresholdRow) -> str:
    said = f"measured {row.value}, interval {row.interval}, limit {row.limit}, n {count(entry['n'])}"
    return f"{said}; {row.reason}" if row.reason else said


def _is_of_the_run(reason: dict[str, str]) -> bool:
    """Tell whether a reason is about the run as a whole, and no threshold of its own."""
    return reason["kind"] == "check" or not reason["subject"]


def _undecided(case: ET.Element, said: str, kind: str) -> None:
    ET.SubElement(case, kind, message=said.partition("\n")[0]).text = said


def _xml(value: object) -> str:
    """Return text that XML 1.0 can hold: line ends stay, control characters are written as escapes."""
    return "\n".join(sanitize(line, 2000) for line in str(value).splitlines())


def _escaped(value: object) -> str:
    """Return text that Markdown and HTML show as it is, on one line."""
    return MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", sanitize(value, 300))


def _table(rows: Sequence[ThresholdRow]) -> list[str]:
    if not rows:
        return []
    lines = ["| status | limit | measured | interval | reason |", "|---|---|---|---|---|"]
    for row in rows:
        status = f"{GLYPHS[row.verdict]} {row.verdict}{'' if row.level == 'fail' else ' (warning)'}"
        cells = (row.source, row.value, row.interval, row.reason)
        lines.append(f"| {status} | {' | '.join(map(_escaped, cells))} |")
    return [*lines, ""]


def _requests(requests: Iterable[dict[str, Any]]) -> list[str]:
    lines = [
        "| request | n | failures | requests/s | p50 | p95 | p99 |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in requests:
        name = _escaped(f"{each['type'] or ''} {each['name']}".strip())
        latencies = " | ".join(quantity(each[level], "ms") for level in ("p50", "p95", "p99"))
        counts = f"{count(each['n'])} | {count(each['failures'])} | {format_number(each['rps'])}"
        lines.append(f"| {name} | {counts} | {latencies} |")
    return [*lines, ""]


def _cut(lines: Sequence[str]) -> str:
    """Return the lines as a text, without the last rows where it would be too long."""
    note, opened, kept, size = "… more in report.html", 0, [], 0
    for line in lines:
        size += len(line) + 1
        if size > MAX_SUMMARY:
            kept += ["", note, *["</details>"] * opened, ""]
            break
        opened += (line == "<details>") - (line == "</details>")
        kept.append(line)
    return "\n".join(kept)


def _command(kind: str, title: str, said: str) -> str:
    """Return a workflow command; what would end it, or a property of it, is escaped."""
    encoded = str.maketrans(PERCENT_ENCODED)
    of_property = encoded | str.maketrans({":": "%3A", ",": "%2C"})
    title, said = sanitize(title, 120).translate(of_property), sanitize(said, 500).translate(encoded)
    return f"::{kind} title={title}::{said}"
