"""The report as one bounded, escaped, self-contained file."""

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.load.run import AGGREGATED
from reports.render.html import report_html, write_report
from tests.make_csv import empty_run, history_rows
from tests.make_verdicts import demo_run, full_verdict, make_verdict, reason, request

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "</title>",
    "\x00\x1b[0m\udc80",
)
VOID = {"meta", "link", "line", "rect", "circle", "path", "br"}


class Page(HTMLParser):
    """Collect the tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """Return all text with single spaces."""
        return " ".join(" ".join(self.texts).split())


def hostile_verdict(text: str) -> dict[str, Any]:
    """Return a verdict with a text from outside wherever there can be one."""
    verdict = full_verdict()
    verdict["run"] |= {"id": text, "profile": text, "load_model": text}
    verdict["reasons"] = [reason("", text)]
    verdict["requests"] = [request(name=text, type=text)]
    verdict["errors"] = [
        {"type": text, "name": text, "error": text, "occurrences": 1, "first_seen": text, "last_seen": text}
    ]
    verdict["exceptions"] = [{"count": 1, "message": text, "traceback": text}]
    for entry in verdict["thresholds"]:
        entry |= {"source": text, "reason": text, "method": text, "level": text}
    for check in verdict["validity"]:
        check |= {"check": text, "reason": text}
    return verdict


def test_the_report_answers_its_questions_in_order() -> None:
    """Verdict and limits first, trust second, then the charts, requests, errors and facts."""
    html = report_html(demo_run(), full_verdict())

    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", html) == [
        "Which limit decides?",
        "Can I trust this run?",
        "Did the test apply the load I planned?",
        "How much got through, and when did it fail?",
        "When did it get slow?",
        "Which request do I fix first?",
        "What exactly went wrong?",
        "What was run?",
    ]


def test_checks_have_the_names_that_they_have_in_verdict_json() -> None:
    """A reader finds `load_reached` in the report, in verdict.json and in the documentation."""
    assert "load_reached" in Page(report_html(demo_run(), full_verdict() | {"reasons": []})).texts


def test_the_failed_limit_is_quoted_with_value_and_limit() -> None:
    """Who reads only the top knows what broke."""
    text = Page(report_html(demo_run(), full_verdict())).text

    assert "✕ FAIL" in text
    assert "May I ship? No: 1 of 5 limits is broken." in text
    assert "Furthest over the line: p99 < 300 ms , measured 612 ms (2 times the limit)" in text


@pytest.mark.parametrize("word", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_the_verdict_is_never_colour_alone(word: str) -> None:
    """The word stands in title, headline and beside a sign of its own."""
    page = Page(report_html(demo_run(), make_verdict(word)))

    assert page.text.count(word) >= 2
    assert {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?"}[word] in page.texts


def test_nothing_is_loaded_from_anywhere() -> None:
    """No address in any attribute, no import in the style, and a policy that would stop one."""
    html = report_html(demo_run(), full_verdict())
    attributes = [(name, value or "") for _, attrs in Page(html).tags for name, value in attrs.items()]

    assert {value for name, value in attrs_named(attributes, "src", "href", "action")} == {"data:,"}
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:" in html


def attrs_named(attributes: list[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    """Return the attributes of these names."""
    return [(name, value) for name, value in attributes if name in names]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_from_outside_stay_text(text: str, tmp_path: Path) -> None:
    """Names, errors and identifiers add no element and no attribute, and can be written as UTF-8."""
    # What is not UTF-8 in a file is replaced when it is read.
    run = demo_run(names=[("GET", text.encode(errors="replace").decode())])
    run = replace(
        run, meta=replace(run.meta, host=text, command=(text,), environment={text: text}), warnings=[text]
    )
    path = tmp_path / "report.html"
    write_report(run, hostile_verdict(text), path)
    page, harmless = Page(path.read_text("utf-8")), Page(report_html(run, hostile_verdict("harmless")))

    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert not {name for _, attrs in page.tags for name in attrs if name.startswith("on")}
    assert "\x00" not in path.read_text("utf-8")


def test_templates_do_not_run_what_names_contain() -> None:
    """A name that looks like a template stays as it is."""
    text = Page(report_html(empty_run(), hostile_verdict("{{7*7}}"))).text

    assert "{{7*7}}" in text
    assert "49" not in text


def test_every_chart_has_a_name_a_description_and_a_table() -> None:
    """What the eye sees is there for those who do not see it."""
    html = report_html(demo_run(), full_verdict())
    tags = Page(html).tags
    plots = [attrs for tag, attrs in tags if tag == "svg" and attrs.get("class") == "plot"]
    ids = {attrs["id"] for _, attrs in tags if "id" in attrs}

    assert len(plots) == 3
    for attrs in plots:
        assert attrs["role"] == "img"
        assert {attrs["aria-labelledby"], attrs["aria-describedby"]} <= ids
    assert html.count('<table class="data">') == 3


def test_identifiers_are_unique() -> None:
    """Labels refer to one element each."""
    ids = [attrs["id"] for _, attrs in Page(report_html(demo_run(), full_verdict())).tags if "id" in attrs]

    assert len(ids) == len(set(ids))


def test_an_empty_run_is_told_in_sentences() -> None:
    """Nothing known: no chart, no table, no crash, and the run is never called a pass."""
    verdict = make_verdict(
        "INCONCLUSIVE",
        thresholds=[],
        validity=[],
        requests=[],
        reasons=[reason("", "no thresholds: nothing was judged")],
    )
    verdict["run"] |= {"requests": 0, "failures": 0, "duration_s": None, "load_model": None, "profile": None}
    page = Page(report_html(empty_run(), verdict))

    assert "plot" not in {attrs.get("class") for _, attrs in page.tags}
    assert "table" not in {tag for tag, _ in page.tags}
    assert "PASS" not in page.text.replace("✓ PASS", "")
    for sentence in (
        "No thresholds were given, so nothing was judged.",
        "No check could be made on this run.",
        "No request was recorded.",
        "No failed request and no exception was recorded.",
    ):
        assert sentence in page.text


def test_thresholds_without_figures_have_no_bar() -> None:
    """A threshold that matched nothing is a row with dashes."""
    verdict = full_verdict()
    verdict["thresholds"] = [
        verdict["thresholds"][0] | {"value": None, "interval": None, "verdict": "INCONCLUSIVE"}
    ]

    assert "bar inconclusive" not in report_html(demo_run(), verdict)


def test_facts_are_told_and_unknown_ones_left_out() -> None:
    """Host, shape, scales and versions; no row for a commit that nobody knows."""
    run = demo_run()
    text = Page(report_html(run, make_verdict())).text
    other = Page(
        report_html(
            replace(run, meta=replace(run.meta, git_commit=None, user_scale=1, time_scale=1)), make_verdict()
        )
    ).text

    assert "users × 0.1, time × 0.0166667" in text
    assert "cpu model EPYC, cores 2, kernel 6.1" in text
    assert "commit c47d6fd" in text
    assert "commit" not in other
    assert "full size" in other


def test_requests_have_their_rate_over_time() -> None:
    """Each name of the history has a small line, a name without has none; without any there is no column."""
    verdict = make_verdict(requests=[request(), request(name="unknown")])
    html = report_html(demo_run(), verdict)

    assert html.count('<svg class="spark"') == 1
    assert "over time" not in report_html(empty_run(), verdict)


def test_an_ordinary_report_is_small() -> None:
    """Under 300 kB for an hour with four requests."""
    assert len(report_html(demo_run(3600), full_verdict()).encode()) < 300_000


def test_an_enormous_run_still_gives_a_bounded_report() -> None:
    """600 names over 300 s, 200 errors of a megabyte each: about a megabyte, in seconds, the rest counted."""
    names = [("GET", f"endpoint.{i}." + "x" * 300) for i in range(600)]
    megabyte = "<é>" * 350_000
    errors = [
        {
            "type": "GET",
            "name": name,
            "error": megabyte,
            "occurrences": 1,
            "first_seen": None,
            "last_seen": None,
        }
        for _, name in names[:200]
    ]
    exceptions = [{"count": 1, "message": megabyte, "traceback": megabyte}] * 40
    requests = [request(type=kind, name=name) for kind, name in names]
    verdict = make_verdict(
        "FAIL", requests=requests, errors=errors, exceptions=exceptions, reasons=[reason("", megabyte)] * 50
    )
    run = demo_run(300, names)
    begun_s = time.process_time()
    html = report_html(run, verdict)

    assert time.process_time() - begun_s < 30
    assert len(html.encode()) < 1_300_000
    assert "100 more are in verdict.json" in html
    assert "150 more kinds of error are in verdict.json" in html
    assert "20 more exceptions are in verdict.json" in html


def test_what_is_left_out_is_counted_in_the_right_number() -> None:
    """One more is, several more are in verdict.json."""
    errors = [{"type": "GET", "name": "a", "error": f"e{i}", "occurrences": 1} for i in range(51)]
    errors = [each | {"first_seen": None, "last_seen": None} for each in errors]
    exceptions = [{"count": 1, "message": "e", "traceback": "e"}] * 21
    requests = [request(name=f"r{i}") for i in range(501)]
    html = report_html(demo_run(), make_verdict(requests=requests, errors=errors, exceptions=exceptions))

    assert " 1 more is in verdict.json" in html
    assert "1 more kind of error is in verdict.json" in html
    assert "1 more exception is in verdict.json" in html


ANYTHING = st.lists(st.floats(-1e12, 1e12) | st.just(np.nan) | st.just(np.inf), min_size=5, max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(dict.fromkeys(("unix_s", "users", "failures", "p50_ms", "p95_ms"), ANYTHING)),
    ANYTHING,
)
def test_any_numbers_make_a_report(columns: dict[str, list[float]], n: list[float]) -> None:
    """Whatever a damaged history holds, the report is whole and says nothing like nan or inf."""
    history = history_rows("", AGGREGATED, n, **columns)
    stages = demo_run(4).stages.assign(elapsed_s=columns["unix_s"], users=n)
    html = report_html(replace(empty_run(), history=history, stages=stages), make_verdict())

    assert html.rstrip().endswith("</html>")
    assert not re.search(r"[ML >\"](nan|inf)\b", html)
