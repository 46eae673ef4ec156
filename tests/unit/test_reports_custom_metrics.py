"""Transactions, tags, and metrics and checks of a journey's own: chosen, judged, and shown exactly."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plimsoll.run_files.exit_status import Outcome
from reports.load.run import Run
from reports.render.html import report_html
from reports.render.terminal import terminal_text
from reports.thresholds.known import Known, validate
from reports.thresholds.reading import limits_ms
from reports.verdict.verdict import reach_verdict
from tests.judged import judged, numbers, thresholds
from tests.make_csv import START_S, csv_run, samples
from tests.make_recorded import even, recorded, requests

PASS, FAIL, INCONCLUSIVE = Outcome
SCALE = 1e6


def values(kind: str, name: str, told: "np.typing.ArrayLike", **columns: Any) -> pd.DataFrame:
    """Return the values of a metric, evenly over a minute, as the recorder has them."""
    array = np.asarray(told, dtype=np.float64)
    at_s = START_S + np.arange(len(array)) * 60 / len(array)
    if kind in {"rate", "check"}:
        return requests(at_s, 0 * array, request_type=kind, name=name, failed=array == 0, **columns)
    scaled = array if kind == "counter" else array * SCALE
    return requests(at_s, scaled, request_type=kind, name=name, **columns)


@cache
def whole_run() -> Run:
    """Return a run of a minute with one of everything, which nothing changes."""
    return recorded(
        pd.concat(
            [
                even(600, 20.0, name="a", tags="content,slow", user_class="Reader"),
                even(600, 80.0, name="b", request_type="POST", user_class="Admin"),
                even(300, 1000.0, name="flow", request_type="transaction", failed=np.arange(300) % 10 == 0),
                even(300, 400.0, name="flow", request_type="transaction_busy"),
                even(300, 300.0, name="flow/login", request_type="transaction"),
                even(300, 200.0, name="flow/login", request_type="transaction_busy"),
                values("counter", "cache.hit", np.full(120, 2)),
                values("rate", "cache", np.arange(600) % 10 > 0),
                values("check", "fast enough", np.ones(600)),
                values("gauge", "pool.size", np.arange(600) % 5),
                values("trend", "page.cls", np.full(600, 0.05)),
            ]
        ),
        0.1 * SCALE,
    )


@pytest.mark.parametrize(
    ("source", "value", "outcome"),
    [
        # 120 times 2
        ("count of cache.hit > 100", 240, PASS),
        ("count of cache.hit > 240", 240, FAIL),
        # 9 of 10
        ("rate of cache > 80%", 90, PASS),
        ("rate of cache > 95%", 90, FAIL),
        ('checks of "fast enough" > 99%', 100, PASS),
        ("checks > 99%", 100, PASS),
        ("max of pool.size < 10", 4, PASS),
        ("max of pool.size < 4", 4, FAIL),
        ("mean of pool.size < 3", 2, PASS),
        ("p75 of page.cls < 0.1", 0.05, PASS),
        ("p75 of page.cls < 0.04", 0.05, FAIL),
        ("mean of page.cls < 1 KB", 0.05, PASS),
        ("p95 of transaction:flow < 2 s", 1000, PASS),
        ("cumulated_p95 of transaction:flow < 500 ms", 400, PASS),
        ("cumulated_mean of transaction:flow/* < 100 ms", 200, FAIL),
        ("cumulated_max of transaction:* < 500 ms", 400, PASS),
        ("error_rate of transaction:flow < 20%", 10, PASS),
        ("count of transaction:* > 500", 600, PASS),
        # Only requests are requests.
        ("count > 1000", 1200, PASS),
        ("error_rate < 1%", 0, PASS),
        ("max < 100 ms", 80, PASS),
    ],
)
def test_judged(source: str, value: float, outcome: Outcome) -> None:
    """Each figure is the one that was told, and decides its limit."""
    judgement = judged(whole_run(), source)

    assert numbers(judgement)[0] == pytest.approx(value, rel=0.004)
    assert judgement.outcome is outcome, judgement.reason


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("tag:content", 600),
        ("tag:c*", 600),
        ("tag:content,slow", 0),
        ("not tag:content", 600),
        ("type:POST", 600),
        ("type:*", 1200),
        ("user:Admin", 600),
        ("a or b", 1200),
        ("a and not tag:slow", 0),
        ("a and tag:slow or user:Admin and type:POST", 1200),
        ("not a and not b", 0),
    ],
)
def test_selected(selector: str, count: int) -> None:
    """Conditions are met by requests of the name, type, tag and user class; and binds more than or."""
    judgement = judged(whole_run(), f"count of {selector} <= {count}")

    if count:
        assert numbers(judgement)[0] == count
    else:
        assert judgement.estimate is None
        assert judgement.outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("p95 of transaction:flw < 1 s", "no transaction is named 'flw'; did you mean 'flow'?"),
        ("checks of slow > 99%", "no metric is named 'slow'; there are 'fast enough'"),
        ("rate of cach > 99%", "no metric is named 'cach'; did you mean 'cache'?"),
        ("p95 of a < 100", "'a' is a request, whose p95 takes a time"),
        ("p95 of page.cls < 1 s", "no request is named 'page.cls'"),
        ("p95 of tag:contnt < 1 s", "no request has the tag 'contnt'; did you mean 'content'?"),
        ("p95 of user:Reder < 1 s", "no request is of the user class 'Reder'; did you mean 'Reader'?"),
        ("p95 of tag:content and user:Admin < 1 s", "no request matches 'tag:content and user:Admin'"),
        ("p99.9 of page.cls < 0.1", "600 values are too few, 2995 are needed"),
        ("p99.9 of transaction:flow < 1 min", "270 successful transactions are too few"),
    ],
)
def test_what_was_not_measured(source: str, reason: str) -> None:
    """A limit on nothing, or on too little, is open and says why."""
    judgement = judged(whole_run(), source)

    assert judgement.outcome is INCONCLUSIVE
    assert judgement.reason.startswith(reason)


@pytest.mark.parametrize("source", ["checks > 99%", "p95 of transaction:flow < 1 s", "p95 of tag:a < 1 s"])
def test_without_intervals(source: str) -> None:
    """Locust's own files know nothing of any of it, but types."""
    run = csv_run({"a": samples(100)})

    assert judged(run, source).reason == "Locust's CSV files hold only requests, by type and name"
    assert numbers(judged(run, "count of type:GET and not b > 50"))[0] == 100


def faults(*sources: str, more: Sequence[list[str]] = ()) -> list[str]:
    """Return what is wrong with statements, of a run that knows one of each; *more*: tags, transactions."""
    limits = thresholds(*sources)
    return [
        fault.partition(": ")[2]
        for fault in validate(limits, Known(["shop.home"], ["cache", "pod.*"], ["Visitor"], *more))
    ]


def test_refused_before_the_run() -> None:
    """What no journey declares is refused, with the nearest name."""
    assert faults(
        "rate of cach > 80%",
        "p95 of shop.home < 300",
        "p95 of shop.hme < 300",
        "p95 of cache < 300 ms",
        "count of shop.hme > 1",
        "p95 of user:Visitr < 1 s",
        "p95 of shop.home and not shop.hme < 1 s",
    ) == [
        "no metric is named 'cach'; did you mean 'cache'?",
        "'shop.home' is a request, whose p95 takes a time in us, ms, s or min, such as '500 ms'",
        "no metric is named 'shop.hme'; there are 'cache', 'pod.*'; of a request p95 takes a time in us, ms,"
        " s or min, such as '500 ms'",
        "no request is named 'cache'; there are 'shop.home'",
        "no request is named 'shop.hme'; did you mean 'shop.home'?",
        "no user class is named 'Visitr'; did you mean 'Visitor'?",
        "no request is named 'shop.hme'; did you mean 'shop.home'?",
    ]


def test_accepted_before_the_run() -> None:
    """What is declared, also by a glob, or cannot be known, is not refused."""
    assert not faults(
        "rate of cache > 80%",
        "count of cache > 1",
        "count of pod.web-1 > 1",
        "checks > 99%",
        "p95 of pod.* < 3",
        "p95 of tag:any and user:Visitor < 1 s",
        "p95 of transaction:any < 1 s",
    )


def test_tags_and_transactions_are_refused_before_the_run() -> None:
    """Those that nothing in the run bears are refused like names, also where they are to be left out."""
    assert faults(
        "p95 of tag:contnet < 1 s",
        "p95 of shop.home and not tag:slwo < 1 s",
        "p95 of transaction:fow < 1 s",
        "p95 of transaction:flow/* < 1 s",
        more=[["content", "slow"], ["flow", "visit/*"]],
    ) == [
        "no tag is named 'contnet'; did you mean 'content'?",
        "no tag is named 'slwo'; did you mean 'slow'?",
        "no transaction is named 'fow'; did you mean 'flow'?",
        "no transaction is named 'flow/*'; did you mean 'flow'?",
    ]
    assert faults("p95 of tag:a < 1 s", "p95 of transaction:a < 1 s", more=[[], []]) == [
        "no tag is named 'a'",
        "no transaction is named 'a'",
    ]


def test_tags_and_transactions_are_accepted_before_the_run() -> None:
    """Names, globs over them, and names that a declared glob covers are known."""
    sources = [f"p95 of {it} < 1 s" for it in ("tag:con*", "transaction:flow", "transaction:visit/again")]

    assert not faults(*sources, more=[["content"], ["flow", "visit/*"]])


def test_why_transactions_failed() -> None:
    """What failed first in a transaction is among the errors, escaped, and makes no more failed requests.

    The last transaction ends three seconds after the last request, which was the only one that failed.
    """
    failed = {"failed": True, "kind": "<b>a</b> failed"}
    run = recorded(
        pd.concat(
            [
                requests([START_S, START_S + 1], [10.0, 10.0], failed=[False, True], kind="503"),
                requests(
                    [START_S, START_S + 1], [10.0, 3500.0], name="flow", request_type="transaction", **failed
                ),
                requests([START_S], [10.0], name="flow", request_type="transaction_busy", **failed),
                values("check", "held", np.zeros(1)),
            ]
        )
    )
    verdict = reach_verdict(run, [])
    page = report_html(run, verdict)

    assert [
        (each["type"], each["name"], each["error"], each["occurrences"]) for each in verdict["errors"]
    ] == [("GET", "a", "503", 1), ("transaction", "flow", "<b>a</b> failed", 2)]
    assert verdict["errors"][1]["last_seen"] == "2027-01-15 08:00:04"
    assert (verdict["run"]["failures"], sum(each["failures"] for each in verdict["requests"])) == (1, 1)
    assert "&lt;b&gt;a&lt;/b&gt; failed" in page
    assert "<b>a</b>" not in page
    assert "2 × transaction flow: <b>a</b> failed" in terminal_text(verdict, colour=False)


def test_transactions_that_fail_without_a_request() -> None:
    """A run whose users came to no request still tells why."""
    run = recorded(
        requests(
            [START_S], [10.0], name="flow", request_type="transaction", failed=True, kind="KeyError: 'id'"
        )
    )
    verdict = reach_verdict(run, [])

    assert [each["error"] for each in verdict["errors"]] == ["KeyError: 'id'"]
    assert "KeyError: &#39;id&#39;" in report_html(run, verdict)


def test_limits_to_count_over() -> None:
    """The recorder counts over limits of trends as it has their values, and over those of transactions."""
    sources = ["p75 of page.cls < 0.1", "p95 of transaction:flow < 2 s", "rate of cache > 80%"]

    assert limits_ms(thresholds(*sources)) == [2000.0, 100_000.0]


def test_verdict() -> None:
    """verdict.json has every transaction with both times, and every metric by its kind."""
    verdict = reach_verdict(whole_run(), [])
    flow, login = sorted(verdict["transactions"], key=lambda each: str(each["name"]))

    assert (flow["name"], flow["n"], flow["failures"], flow["max"], flow["cumulated_max"]) == (
        "flow",
        300,
        30,
        1000,
        400,
    )
    assert (login["name"], login["p95"]) == ("flow/login", pytest.approx(300, rel=0.004))
    told = {f"{each['kind']} {each['name']}": each for each in verdict["metrics"]}
    assert {name: each["value"] for name, each in told.items()} == {
        "check fast enough": 100,
        "rate cache": pytest.approx(90),
        "counter cache.hit": 240,
        "gauge pool.size": None,
        "trend page.cls": None,
    }
    assert (told["rate cache"]["passed"], told["rate cache"]["failed"]) == (540, 60)
    gauge = told["gauge pool.size"]
    assert (gauge["n"], gauge["min"], gauge["mean"], gauge["max"]) == (600, 0, pytest.approx(2), 4)
    assert told["trend page.cls"]["p75"] == pytest.approx(0.05)
    assert json.dumps(verdict, allow_nan=False)


def test_shown() -> None:
    """The report and the terminal show transactions and metrics, and hostile names as text."""
    hostile = values("counter", "<script>alert(1)</script>\x1b[2J", np.ones(5))
    verdict = reach_verdict(recorded(pd.concat([even(600), hostile])), [])
    html, text = report_html(whole_run(), reach_verdict(whole_run(), [])), terminal_text(verdict)

    assert "flow/login" in html
    assert "What did the journeys measure themselves?" in html
    assert "<script>alert" not in report_html(recorded(even(600)), verdict)
    assert "\x1b" not in text
    assert "counter" in text


def test_tables_have_a_heading_for_each_column() -> None:
    """Transactions have a column more for each time than requests have."""
    html = report_html(whole_run(), reach_verdict(whole_run(), []))
    table = html[html.index('id="transactions-q"') :].partition("</table>")[0]

    assert table.partition("</thead>")[0].count('<th scope="col"') == 4 + 2 * 5
    assert table.count("<td") + table.count('<th scope="row"') == 2 * (4 + 2 * 5)


def test_a_limit_on_transactions_is_no_line_on_requests() -> None:
    """Charts of requests have the limits of requests only."""
    limits = thresholds("p95 of transaction:flow < 2 s")

    assert "Limits drawn" not in report_html(whole_run(), reach_verdict(whole_run(), limits))
