"""The verdict as continuous integration reads it."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from reports.judging import _to_github
from reports.render.ci import MAX_ANNOTATIONS, MAX_SUMMARY, annotations, junit_xml, summary
from tests.make_verdicts import full_verdict, make_verdict, reason, request, threshold

HOSTILE = "\x1b[2Jnasty|`x`\r\n<b>name</b>\x07\u202e@team % ::error::" + "x" * 300


def cases(verdict: dict[str, Any], inconclusive: str = "skipped") -> dict[str, list[str]]:
    """Return by the name of each test case what junitparser says of it."""
    (suite,) = JUnitXml.fromstring(junit_xml(verdict, inconclusive))
    return {case.name: [type(result).__name__ for result in case.result] for case in suite}


def test_each_limit_is_a_case_of_a_stable_name() -> None:
    """A failed limit is a failure, an undecided one skipped, one that holds neither; the run is one, too."""
    assert cases(full_verdict()) == {
        "p95 of careers.select < 500 ms": [],
        "p99 < 300 ms": ["Failure"],
        "error_rate < 1%": ["Skipped"],
        "rps > 1000": [],
        "max of orders.* < 5 s": [],
        "p99.9 of shop.products < 1 s": ["Skipped"],
        "run validity": ["Skipped"],
    }


def test_what_is_undecided_is_an_error_by_choice() -> None:
    """With `error`, limits and the run's validity that are not decided make a job red."""
    found = cases(full_verdict(), "error")

    assert [name for name, results in found.items() if results == ["Error"]] == [
        "error_rate < 1%",
        "p99.9 of shop.products < 1 s",
        "run validity",
    ]


def test_a_limit_that_only_warns_fails_no_job() -> None:
    """Broken or undecided, it is skipped, also where undecided limits are errors."""
    warned = [
        threshold(source=f"p9{n} < 1 s", level="warn", verdict=v)
        for n, v in enumerate(("FAIL", "INCONCLUSIVE"))
    ]
    found = cases(make_verdict(thresholds=[threshold(), *warned]), "error")

    assert found["p90 < 1 s"] == found["p91 < 1 s"] == ["Skipped"]


def test_the_counts_of_the_suite_are_those_of_its_cases() -> None:
    """Tests, failures, errors and skipped add up on the suite and above it, with the length of the run."""
    root = ET.fromstring(junit_xml(full_verdict(), "error"))  # noqa: S314 - written right here
    suite = root[0]

    for each in (root, suite):
        counts = [each.get(key) for key in ("tests", "failures", "errors", "skipped", "time")]
        assert counts == ["7", "1", "3", "0", "40.000"]
    assert [child.tag for child in suite][:2] == ["properties", "testcase"]


def test_two_limits_of_the_same_text_are_two_cases() -> None:
    """The second one has a number, so that no history mixes them."""
    assert set(cases(make_verdict(thresholds=[threshold(), threshold()]))) == {
        "p95 of careers.select < 500 ms",
        "p95 of careers.select < 500 ms #2",
        "run validity",
    }


@given(st.text())
def test_any_name_and_message_is_readable_xml_and_one_line_of_a_table(text: str) -> None:
    """Names and messages from outside break neither XML nor a table, and give GitHub no command."""
    verdict = make_verdict(
        "INCONCLUSIVE",
        reasons=[reason("any_requests", text)],
        thresholds=[threshold(source=text or "x", verdict="FAIL", reason=text)],
        requests=[request(name=text)],
    )

    assert len(cases(verdict)) == 2
    rows = [line for line in summary(verdict).splitlines() if line.startswith("| ✕")]
    assert [row.count("|") for row in rows] == [6]
    assert all(line.startswith("::") and "\n" not in line for line in annotations(verdict))


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    """Markdown, HTML, mentions and workflow commands in a name are text."""
    verdict = make_verdict(thresholds=[threshold(source=HOSTILE, verdict="FAIL")])
    text, (line,) = summary(verdict), annotations(verdict)

    assert "<b>" not in text
    assert "@team" not in text
    assert "`x`" not in text
    assert line.split("::")[1].startswith("error title=FAIL%3A")


def test_the_summary_says_the_verdict_first_and_what_is_open_before_what_holds() -> None:
    """Verdict and facts, the doubts about the run, then broken and undecided limits; the rest is folded."""
    text = summary(full_verdict())

    assert text.startswith(
        "## ✕ FAIL: No: 1 of 5 limits is broken.\n\n8,000 requests · 80 failed (1%) · 40 s"
    )
    assert text.index("only 91%") < text.index("p99 &#60; 300 ms") < text.index("<details>")
    assert "<summary>3 of 6 limits hold</summary>" in text
    assert "| POST careers.select | 4,821 | 0 |" in text


def test_a_summary_fits_into_a_comment() -> None:
    """Of 2,000 limits or requests those that fit are listed, the rest is said to be in the report."""
    limits = make_verdict(thresholds=[threshold(verdict="FAIL")] * 2000)
    requests = make_verdict(requests=[request(name="n" * 100)] * 2000)

    for text in map(summary, (limits, requests)):
        assert MAX_SUMMARY - 1000 < len(text) < MAX_SUMMARY + 100
        assert "… more in report.html" in text
        assert text.count("<details>") == text.count("</details>")


def test_annotations_are_few_and_the_worst_first() -> None:
    """A failed limit is an error, an undecided one and a doubt a warning; ten of a kind are shown."""
    many = [threshold(source=f"p95 of r{n} < 1 s", verdict="FAIL") for n in range(30)]
    lines = annotations(full_verdict() | {"thresholds": [*full_verdict()["thresholds"], *many]})
    kinds = [line.split()[0] for line in lines]

    assert kinds == ["::error"] * MAX_ANNOTATIONS + ["::warning"] * 3
    assert lines[0] == (
        "::error title=FAIL%3A p99 < 300 ms::measured 612 ms, interval 540 to 690 ms, limit < 300 ms, n 8,000"
    )


def test_a_job_of_github_gets_summary_and_annotations(tmp_path: Path) -> None:
    """The summary is appended to that of the step; without the variables nothing is written or said."""
    step = tmp_path / "step.md"
    step.write_text("before\n", "utf-8")
    said = _to_github(full_verdict(), {"GITHUB_STEP_SUMMARY": str(step), "GITHUB_ACTIONS": "true"})

    assert said.startswith("::error title=FAIL")
    assert step.read_text("utf-8").startswith("before\n## ✕ FAIL")
    assert _to_github(full_verdict(), {}) == ""


def test_a_step_summary_that_cannot_be_written_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict does not depend on it."""
    assert _to_github(full_verdict(), {"GITHUB_STEP_SUMMARY": "/nowhere/step.md"}) == ""
    assert "cannot take the summary: No such file or directory" in capsys.readouterr().err
