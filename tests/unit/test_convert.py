"""`plimsoll convert`: what becomes of the thresholds of k6, Taurus, Artillery and Gatling."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reports.cli import main
from reports.convert import artillery, gatling, k6, taurus
from reports.convert.statements import Item
from reports.errors import ConfigError
from reports.thresholds.reading import parse_thresholds

Row = tuple[object, tuple[str, ...], str]
"""A threshold of the other tool, our entries as YAML, and a part of what is said of what was not carried."""

SHARES = "cannot be judged by an interval"
PARTS = "a request is timed as a whole"
STATUS = "responses are not chosen by status"

K6: list[Row] = [
    # Aggregations and operators; times are in ms, rates are shares.
    (("http_req_duration", "p(95)<500"), ("p95 < 500 ms",), ""),
    (("http_req_duration", "p(99.9) <= 1500"), ("p99.9 <= 1500 ms",), ""),
    (("http_req_duration", "avg<1e3"), ("mean < 1 s",), ""),
    (("http_req_duration", "med>=0.5"), ("p50 >= 0.5 ms",), ""),
    (("http_req_duration", "min>1"), ("min > 1 ms",), ""),
    (("http_req_duration", "max<2000"), ("max < 2 s",), ""),
    (("http_req_duration", "p(0)<1"), ("min < 1 ms",), ""),
    (("http_req_duration", "p(100)<1"), ("max < 1 ms",), ""),
    (("http_req_duration", "p(101)<1"), (), "the percentile is 101.0"),
    (("http_req_duration", "p(95)==500"), (), SHARES),
    (("http_req_duration", "p(95)!=500"), (), SHARES),
    (("http_req_duration", "p(95)<-5"), (), "the limit is -5.0"),
    (("http_req_duration", "p(95)<500ms"), (), "the limit is '500ms'"),
    (("http_req_duration", "rate<1"), (), "there is no 'rate' of 'http_req_duration'"),
    (("http_req_duration", "95 percent"), (), "k6 cannot read it either"),
    (("http_req_failed", "rate<0.07"), ("error_rate < 7%",), ""),
    (("http_req_failed", "rate==0"), ("error_rate <= 0%",), ""),
    (("http_reqs", "count>1000"), ("count > 1000",), ""),
    (("http_reqs", "count===3"), ("count == 3",), ""),
    (("http_reqs", "count!=0"), ("count > 0",), ""),
    (("http_reqs", "rate>=20"), ("rps >= 20/s",), ""),
    (("checks", "rate>0.995"), ("checks > 99.5%",), ""),
    (("checks", "rate===1"), ("checks >= 100%",), ""),
    (("iterations", "count>=10"), ("count of iteration:* >= 10",), ""),
    (("iterations", "rate>2"), ("rps of iteration:* > 2/s",), ""),
    (("iteration_duration", "p(90)<3000"), ("p90 of iteration:* < 3 s",), ""),
    (("dropped_iterations", "count<10"), ("dropped_iterations < 10",), ""),
    (("dropped_iterations", "rate<1"), (), "there is no 'rate' of 'dropped_iterations'"),
    (("group_duration", "avg<3000"), ("mean of transaction:* < 3 s",), ""),
    (("data_received", "count<1000"), ("bytes < 1000 B",), ""),
    (("data_received", "rate<1000"), ("bytes_per_s < 1000 B/s",), ""),
    (("data_sent", "count<1000"), (), "bytes sent are not recorded"),
    (("http_req_waiting", "p(95)<500"), (), PARTS),
    (("http_req_tls_handshaking", "p(95)<500"), (), PARTS),
    (("vus", "value>10"), (), "how many users there are is planned"),
    (("vus_max", "value>10"), (), "how many users there are is planned"),
    (("ws_connecting", "p(95)<500"), (), "p95 of type:WS"),
    (("grpc_req_duration", "p(95)<500"), (), "types of their own"),
    (("browser_web_vital_lcp", "p(75)<2500"), ('p75 of "*.lcp" and type:VITAL < 2500 ms',), ""),
    (("browser_web_vital_cls", "p(75)<0.1"), ('p75 of "*.cls" < 0.1',), ""),
    (("browser_http_req_duration", "p(75)<1"), (), "requests within a page are not recorded"),
    # Tags.
    (("http_req_duration{name:home}", "p(95)<500"), ("p95 of home < 500 ms",), ""),
    (("http_req_duration{ name : 'GET /a b' }", "p(95)<500"), ('p95 of "GET /a b" < 500 ms',), ""),
    (("http_req_duration{method:GET,name:home}", "avg<9"), ("mean of type:GET and home < 9 ms",), ""),
    (("http_req_duration{scenario:Shop}", "p(95)<500"), ("p95 of user:Shop < 500 ms",), ""),
    (("http_req_duration{kind:api}", "p(95)<500"), ("p95 of tag:kind:api < 500 ms",), ""),
    (("http_req_duration{expected_response:true}", "p(95)<500"), ("p95 < 500 ms",), ""),
    (("http_req_duration{expected_response:false}", "p(95)<500"), (), "the tag 'expected_response'"),
    (("http_req_duration{status:200}", "p(95)<500"), (), STATUS),
    (("http_req_duration{url:http://x/}", "p(95)<500"), (), "chosen by name, not by URL"),
    (("http_req_duration{group:::a}", "p(95)<500"), (), "not chosen by the transaction"),
    (("http_req_duration{vu:3}", "p(95)<500"), (), "the tag 'vu'"),
    (("http_req_duration{name:type:x}", "p(95)<500"), (), "cannot be written in a selector"),
    (("http_req_duration{name:a\"b'c}", "p(95)<500"), (), "both kinds of quotes"),
    (('http_req_duration{name:a"b}', "p(95)<500"), ("p95 of 'a\"b' < 500 ms",), ""),
    (("http_req_duration{name:and}", "p(95)<500"), ('p95 of "and" < 500 ms',), ""),
    (("http_req_duration{name:}", "p(95)<500"), (), "has no value"),
    (("http_req_duration{name:x", "p(95)<500"), (), "a brace is not closed"),
    (("http_reqs{expected_response:false}", "count<5"), ("failures < 5",), ""),
    (("http_reqs{expected_response:true}", "count>5"), ("count - failures > 5",), ""),
    (("http_req_failed{name:home}", "rate<0.01"), ("error_rate of home < 1%",), ""),
    (("checks{check:is ok}", "rate>0.9"), ('checks of "is ok" > 90%',), ""),
    (("group_duration{group:::shop::pay}", "p(95)<5"), ('p95 of "transaction:shop/pay" < 5 ms',), ""),
    # Metrics of the script's own.
    (("page_weight", "p(95)<200"), ("p95 of page_weight < 200",), ""),
    (("orders", "count>100"), ("count of orders > 100",), ""),
    (("cache_hits", "rate>0.8"), ("rate of cache_hits > 80%",), ""),
    (("orders", "rate>8"), (), "a counter's rate a second is not judged"),
    (("pool", "value<8"), (), "valid here is 'max of pool'"),
    (("pool", "last<8"), (), "'last' is no aggregation of k6"),
    # The long form.
    (("http_reqs", {"threshold": "count>1"}), ("count > 1",), ""),
    (
        ("http_req_duration", {"threshold": "p(95)<500", "abortOnFail": True, "delayAbortEval": "1m30s"}),
        ("{expr: p95 < 500 ms, abort: true, after: 90 s}",),
        "",
    ),
    (
        ("http_req_duration", {"threshold": "p(90)<9", "abortOnFail": True, "delayAbortEval": 500}),
        ("{expr: p90 < 9 ms, abort: true, after: 0.5 s}",),
        "",
    ),
    (
        ("http_req_duration", {"threshold": "p(80)<1", "abortOnFail": True, "delayAbortEval": None}),
        ("{expr: p80 < 1 ms, abort: true}",),
        "",
    ),
    (("http_reqs", {"threshold": "count>2", "abortOnFail": False}), ("count > 2",), ""),
    (("http_reqs", {"threshold": "count>3", "delayAbortEval": "9s"}), ("count > 3",), "does nothing in k6"),
    (("http_reqs", {"threshold": "count>4", "abort": True}), ("count > 4",), "'abort' is no setting"),
    (
        ("http_req_duration", {"threshold": "p(90)<5", "abortOnFail": True, "delayAbortEval": "soon"}),
        ("{expr: p90 < 5 ms, abort: true}",),
        "'delayAbortEval': the time is 'soon'",
    ),
    (("http_reqs", 7), (), "k6 cannot read it either"),
]

TAURUS: list[Row] = [
    # Subjects: a criterion is what must not be; times without a unit are in seconds.
    ("avg-rt>2s500ms", ("mean <= 2500 ms",), ""),
    ("avg-rt>=150ms", ("mean < 150 ms",), ""),
    ("p90>1", ("p90 <= 1 s",), ""),
    ("p99.9<0.5", ("p99.9 >= 500 ms",), ""),
    ("p100>1m", ("max <= 60 s",), ""),
    ("stdev-rt>0.5", ("stdev <= 500 ms",), ""),
    ("avg-lt>1", (), PARTS),
    ("avg-ct>100ms", (), PARTS),
    ("concurrency>10", (), "how many users there are is planned"),
    ("rc500>20 for 5s", (), STATUS),
    ("rc4??>20%", (), STATUS),
    ("hits<100", ("count >= 100",), ""),
    ("bytes>10MB", ("bytes <= 10485760 B",), ""),
    ("bytes<2kb", ("bytes >= 2048 B",), ""),
    ("bytes>much", (), "a size such as '10MB'"),
    ("fail>50%", ("error_rate <= 50%",), ""),
    ("failures>5", ("failures <= 5",), ""),
    ("fail=0", ("failures > 0",), ""),
    ("fail==100%", ("error_rate < 100%",), ""),
    ("fail=5", (), SHARES),
    ("succ<95%", ("error_rate <= 5%",), ""),
    ("succ<99.9%", ("error_rate <= 0.1%",), ""),
    ("success<=1000", ("count - failures > 1000",), ""),
    ("avg-rt>50%", (), "is no share"),
    ("weather>5", (), "which Taurus does not have"),
    ("avg-rt>1y", (), "the time is '1y'"),
    ("avg-rt is slow", (), "it is no criterion"),
    # Labels.
    ("avg-rt of Sample Label>150ms", ('mean of "Sample Label" <= 150 ms',), ""),
    ("fail of Checkout>=50%", ("error_rate of Checkout < 50%",), ""),
    ("p95 of /x?a=1>1", ('p95 of "/x?a=1" <= 1 s',), ""),
    # Windows: `for` is each second, `within` and `over` are seconds together. To stop is to abort.
    ("avg-rt of A>150ms for 10s", ("{expr: mean of A worst 10 s <= 150 ms, abort: true}",), ""),
    ("p95>1s for 1m, continue", ("p95 worst 60 s <= 1 s",), ""),
    ("fail>50% for 10s, stop as failed", ("{expr: error_rate worst 10 s <= 50%, abort: true}",), ""),
    ("fail>20 for 5s, continue", ("failures worst 5 s <= 100",), ""),
    ("fail>20 over 5s, continue", ("failures worst 5 s <= 20",), ""),
    ("hits>100 for 5s, continue", ("rps worst 5 s <= 100/s",), ""),
    ("hits<500 over 5s, continue", ("count worst 5 s >= 500",), ""),
    ("bytes>1MB within 2s, continue", ("bytes_per_s worst 2 s <= 1048576 B/s",), ""),
    ("succ<5 for 3s", (), "successes are not counted by time"),
    # Actions, labels of the criteria, the long form.
    ("p90>2, continue as non-failed", ("{expr: p90 <= 2 s, level: warn}",), ""),
    (
        "p90>3 for 2s, stop as non-failed",
        ("{expr: p90 worst 2 s <= 3 s, level: warn}",),
        "the run is not stopped without failing",
    ),
    ("p90>4, panic", (), "it is no criterion"),
    ("Too slow: p90>4", ("{expr: p90 <= 4 s, name: Too slow}",), ""),
    (
        {"subject": "p95", "label": "https://x/y", "condition": ">", "threshold": 1.5, "timeframe": "1m"}
        | {"logic": "within", "stop": False, "message": "Slow"},
        ("{expr: 'p95 of \"https://x/y\" worst 60 s <= 1500 ms', name: Slow}",),
        "",
    ),
    (
        {"subject": "fail", "condition": ">", "threshold": "5%", "fail": False},
        ("{expr: error_rate <= 5%, level: warn}",),
        "",
    ),
    ({"subject": "p50", "condition": "~", "threshold": 1}, (), "its condition is '~'"),
    (
        {"subject": "p50", "condition": ">", "threshold": 1, "timeframe": 2, "logic": "if"},
        (),
        "its logic is 'if'",
    ),
    (
        {"subject": "p50", "condition": ">", "threshold": 1, "colour": 2},
        ("p50 <= 1 s",),
        "'colour' is no setting",
    ),
    (
        {
            "class": "bzt.modules.monitoring.MonitoringCriteria",
            "subject": "local/cpu",
            "condition": ">",
            "threshold": 90,
        },
        (),
        "only criteria about samples are judged",
    ),
    (5, (), "valid is a text or a mapping"),
]

ARTILLERY: list[Row] = [
    # thresholds: strictly less, in ms.
    ({"thresholds": [{"http.response_time.p95": 250}]}, ("p95 < 250 ms",), ""),
    ({"thresholds": [{"http.response_time.p999": "1000"}]}, ("p99.9 < 1 s",), ""),
    ({"thresholds": [{"http.response_time.median": 9}]}, ("p50 < 9 ms",), ""),
    ({"thresholds": [{"vusers.session_length.max": 9000}]}, ("max of iteration:* < 9 s",), ""),
    (
        {"thresholds": [{"plugins.metrics-by-endpoint.response_time./a (b).p99": 3}]},
        ('p99 of "/a (b)" < 3 ms',),
        "",
    ),
    ({"thresholds": [{"page-weight.p95": 3}]}, ('p95 of "page-weight" < 3',), ""),
    (
        {"thresholds": [{"vusers.failed": 1, "orders": 2}]},
        ("failures of iteration:* < 1",),
        "one metric with a number",
    ),
    ({"thresholds": [{"http.response_time.p95": "fast"}]}, (), "one metric with a number"),
    ({"thresholds": ["p95 < 200"]}, (), "one metric with a number"),
    ({"thresholds": [{"http.response_time.p42": 1}]}, (), "Artillery has no metric"),
    # The older keys.
    ({"min": 5, "max": 500}, ("min < 5 ms", "max < 500 ms"), ""),
    ({"median": 5, "p95": 6, "p99": 7}, ("p50 < 5 ms", "p95 < 6 ms", "p99 < 7 ms"), ""),
    ({"maxErrorRate": 1}, ("error_rate of iteration:* <= 1%",), ""),
    ({"p75": 5}, (), "Artillery cannot use it either"),
    # conditions
    ("http.request_rate > 100", ("rps > 100/s",), ""),
    ("100 <= http.requests", ("count >= 100",), ""),
    ("http.requests == 7", ("count == 7",), ""),
    ("http.response_time.p99 == 7", (), SHARES),
    ("vusers.failed == 0", ("failures of iteration:* <= 0",), ""),
    ("vusers.skipped == 0", ("dropped_iterations <= 0",), ""),
    ("http.downloaded_bytes < 1000", ("bytes < 1000 B",), ""),
    ("apdex > 0.9", ("apdex(100 ms) > 0.9",), ""),
    ("orders.placed >= 10", ("count of orders.placed >= 10",), ""),
    ("'my-metric' > 10", ('count of "my-metric" > 10',), ""),
    ("my-metric > 10", (), "'my-m' is not read"),
    ("vusers.created_by_name.Some scenario > 3", ('count of iteration:* and "user:Some scenario" > 3',), ""),
    ("http.requests > 1 and vusers.failed < 2", ("count > 1", "failures of iteration:* < 2"), ""),
    ("(http.requests > 3) and not vusers.failed >= 4", ("count > 3", "failures of iteration:* < 4"), ""),
    ("http.codes.500 == 0 and http.requests > 5", ("count > 5",), STATUS),
    ("http.requests > 1 or vusers.failed < 2", (), "'or' between comparisons"),
    ("not (http.requests > 1 and vusers.failed < 2)", (), "'not' before anything but one comparison"),
    ("http.requests > 1 ? 2 : 3", (), "'?' is not read"),
    ("ceil(http.requests) > 1", (), "there is no function 'ceil'"),
    ("http.requests", (), "it is no comparison"),
    ("(http.requests > 1", (), "a bracket is not closed"),
    ("http.requests > ", (), "it ends too soon"),
    ("3 > 2", (), "it compares two numbers"),
    ("http.requests > 1 / 0", (), "it divides by 0"),
    ("vusers.failed / vusers.created < 0.01", ("failures of iteration:* / count of iteration:* < 0.01",), ""),
    (
        "(vusers.failed/vusers.created*100)<= 1",
        ("(failures of iteration:* / count of iteration:*) * 100 <= 1",),
        "",
    ),
    ("http.response_time.p99 - 20 < 100", ("p99 - 20 ms < 100 ms",), ""),
    ("http.response_time.p99 < 3 * http.response_time.p50", ("p99 - (3 * p50) < 0 ms",), ""),
    ("http.response_time.p99 + http.requests < 3", (), "units that do not go together"),
    (
        "vusers.created - vusers.completed == 0",
        ("count of iteration:* - (count of iteration:* - failures of iteration:*) == 0",),
        "",
    ),
    ("http.responses > 5", (), "valid is http.requests"),
    ("errors.ETIMEDOUT < 5", (), "failures are not chosen by their kind"),
    ("plugins.expect.failed == 0", (), "valid is 'checks >= 100%'"),
    ("plugins.metrics-by-endpoint./a.codes.200 > 5", (), STATUS),
    ("browser.page.FCP.https://x.org/a.p99 < 5", (), "a page has a name here"),
    ("websocket.messages_sent > 5", (), "p95 of type:WS"),
    ("socketio.response_time.p95 < 5", (), "p95 of type:WS"),
    ("ranking == 5", (), "its number is apdex"),
]

GATLING: list[Row] = [
    (("Global", "max of response time", "is less than", [50.0]), ("max < 50 ms",), ""),
    (("Global", "min of response time", "is greater than", [1]), ("min > 1 ms",), ""),
    (("Global", "mean of response time", "is less than or equal to", [50]), ("mean <= 50 ms",), ""),
    (("Global", "standard deviation of response time", "is less than", [50]), ("stdev < 50 ms",), ""),
    (("Global", "95th percentile of response time", "is less than", [50]), ("p95 < 50 ms",), ""),
    (("Global", "99.9th percentile of response time", "is less than", [50]), ("p99.9 < 50 ms",), ""),
    (("Global", "mean requests per second", "is greater than or equal to", [9]), ("rps >= 9/s",), ""),
    (("Global", "count of all events", "is", [9]), ("count == 9",), ""),
    (("Global", "count of failed requests", "is", [0]), ("failures <= 0",), ""),
    (("Global", "count of successful events", "is greater than", [9]), ("count - failures > 9",), ""),
    (("Global", "percentage of failed events", "is less than", [1]), ("error_rate < 1%",), ""),
    (("Global", "percent of successful requests", "is greater than", [95]), ("error_rate < 5%",), ""),
    (("Global", "percentage of successful events", "is", [100]), ("error_rate <= 0%",), ""),
    (("Global", "percentage of all events", "is", [100]), (), "always 100 %"),
    # `around` and `deviatesAround` are written as `between`, too.
    (
        ("home", "mean of response time", "is between", [1, 9]),
        ("mean of home > 1 ms", "mean of home < 9 ms"),
        "",
    ),
    (
        ("home", "percentage of successful events", "is between inclusive", [95, 99.5]),
        ("error_rate of home <= 5%", "error_rate of home >= 0.5%"),
        "",
    ),
    (("home page", "count of all events", "is in", [3]), ('count of "home page" == 3',), ""),
    (("home", "count of all events", "is in", [3, 4]), (), "there is no 'is in' for 2 values"),
    (("home", "max of response time", "is", [3]), (), SHARES),
    (("shop / pay", "max of response time", "is less than", [5]), ("max of pay < 5 ms",), "the group 'shop'"),
    (("For all requests", "max of response time", "is less than", [5]), (), "write one for each name"),
    (("home", "colour of response time", "is less than", [5]), (), "is not known"),
    (("home", "max of response time", "is less than", ["x"]), (), "the limit is 'x'"),
    (("home", "max of response time", "is less than", None), (), "the limit is None"),
]


def k6_options(row: object) -> object:
    """Return options of one threshold."""
    assert isinstance(row, tuple)
    return {"thresholds": {row[0]: [row[1]]}}


def taurus_config(row: object) -> object:
    """Return a configuration of one criterion."""
    return {"reporting": ["console", {"module": "passfail", "criteria": [row]}]}


def artillery_script(row: object) -> object:
    """Return a script that ensures this, or this one condition."""
    ensure = row if isinstance(row, dict) else {"conditions": [{"expression": row}]}
    return {"config": {"ensure": ensure, "apdex": {"threshold": 100}}}


def gatling_report(row: object) -> object:
    """Return a report of one assertion."""
    assert isinstance(row, tuple)
    return {"assertions": [dict(zip(("path", "target", "condition", "expectedValues"), row, strict=True))]}


Convert = Callable[[object], Iterator[Item]]
ROWS = [
    (convert, within(given_), entries, lost)
    for convert, within, rows in (
        (k6.convert, k6_options, K6),
        (taurus.convert, taurus_config, TAURUS),
        (artillery.convert, artillery_script, ARTILLERY),
        (gatling.convert, gatling_report, GATLING),
    )
    for given_, entries, lost in rows
]


@pytest.mark.parametrize(("convert", "content", "entries", "lost"), ROWS)
def test_what_becomes_of_each_construct(
    convert: Convert, content: object, entries: tuple[str, ...], lost: str
) -> None:
    """Each threshold is written as ours, and what cannot be is said, with the reason: nothing is silent."""
    items = list(convert(content))
    reasons = [reason for item in items for reason in item.lost]
    assert tuple(entry.yaml for item in items for entry in item.entries) == entries
    assert [lost in reason for reason in reasons] == ([True] if lost else [])


def test_what_is_written_is_read() -> None:
    """The parser reads every entry; what holds on the other side than usual has to be marked as inverted."""
    inverted = {}
    for entry in (entry for _, _, entries, _ in ROWS for entry in entries):
        try:
            parse_thresholds(f"thresholds:\n  - {entry}\n")
        except ConfigError as error:
            inverted[entry] = str(error)
    assert all("write 'inverted: true'" in text for text in inverted.values())
    assert inverted.keys() == {
        "failures > 0",
        "mean of home > 1 ms",
        "error_rate of home >= 0.5%",
        "p50 >= 0.5 ms",
        "p99.9 >= 500 ms",
    }


def test_what_is_inverted_or_would_abort_is_carried_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit on the other side is marked as meant, and ends the run as it did, where it can."""
    options = tmp_path / "options.json"
    abort = {"abortOnFail": True}
    limits = {
        "http_req_duration": [{"threshold": "p(95)>1"} | abort],
        "http_reqs": [{"threshold": "count>1"} | abort],
    }
    options.write_text(json.dumps({"thresholds": limits}), encoding="utf-8")

    assert main(["convert", str(options)]) == 0

    out, err = capsys.readouterr()
    assert "- {expr: p95 > 1 ms, abort: true, inverted: true}" in out
    assert "- count > 1\n" in out
    assert "'count > 1' cannot abort a run: valid are percentiles" in err


@pytest.mark.parametrize(
    ("content", "entries"),
    [
        ({"execution": {"scenario": "s", "criteria": ["p90>1"]}}, ["p90 <= 1 s"]),
        ({"execution": [{"scenario": "s", "criteria": ["p90>1"]}, {}]}, ["p90 of user:s <= 1 s"]),
        ({"execution": [{"criteria": ["p90>1"]}, {}]}, []),
        (
            {"execution": [{}, {}], "scenarios": {"s t": {"criteria": ["p90>1"]}}},
            ['p90 of "user:s t" <= 1 s'],
        ),
        ({"scenarios": {"s": {"criteria": {"Slow": "p90>1"}}}}, ["{expr: p90 <= 1 s, name: Slow}"]),
        ({"reporting": {"module": "passfail", "criteria": "p90>1"}}, []),
    ],
)
def test_criteria_of_an_execution_are_about_its_users(content: object, entries: list[str]) -> None:
    """Where Taurus runs several executions, the criteria of one select the users of its scenario."""
    items = list(taurus.convert(content))
    assert [entry.yaml for item in items for entry in item.entries] == entries
    assert all(item.entries or item.lost for item in items)


@pytest.mark.parametrize(
    ("criterion", "differs"),
    [
        ("p90 of A>1", ""),
        ("p90>1 for 1s", ""),
        ("p90>1 for 1m", "stricter: asked of 60 s as a whole, not of each second in them"),
        ("p90>1 within 5s", "asked of whole windows of 5 s, in which all requests count alike"),
        ("p90 of A>=1", "Taurus takes the first character of '>=' for a part of the label"),
        ({"subject": "p90", "label": "A", "condition": ">=", "threshold": 1}, ""),
    ],
)
def test_what_is_asked_otherwise_is_said(criterion: object, differs: str) -> None:
    """Where a window, or what Taurus makes of a label, is not quite ours, the comment says what differs."""
    (item,) = taurus.convert(taurus_config(criterion))
    assert item.differs == differs
    assert item.entries


def test_an_optional_condition_warns() -> None:
    """What Artillery does not fail for decides nothing here, either; each environment is named."""
    ensure = {"conditions": [{"expression": "http.requests > 1", "strict": False}]}
    content = {"config": {"plugins": {"ensure": ensure}, "environments": {"prod": {"ensure": {"p95": 1}}}}}
    condition, environment = artillery.convert(content)
    assert [entry.yaml for entry in condition.entries] == ["{expr: count > 1, level: warn}"]
    assert "a thresholds file of its own" in environment.lost[0]


def written(path: Path, content: object) -> str:
    """Write a file as JSON and return its path."""
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (k6_options(("http_reqs", "count>1")), "count > 1"),
        ({"options": k6_options(("http_reqs", "count>1"))}, "count > 1"),
        (taurus_config("p90>1"), "p90 <= 1 s"),
        (artillery_script({"p95": 1}), "p95 < 1 ms"),
        (gatling_report(GATLING[0][0]), "max < 50 ms"),
        (
            [
                {
                    "path": "a",
                    "target": "max of response time",
                    "condition": "is less than",
                    "conditionValues": [5],
                }
            ],
            "max of a < 5 ms",
        ),
    ],
)
def test_the_file_tells_the_tool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object, line: str
) -> None:
    """Each tool's file is known by its form; what is printed is a thresholds file, and the status is 0."""
    assert main(["convert", written(tmp_path / "theirs.json", content)]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out) == {"thresholds": [line]}
    assert printed.err == ""


def test_what_is_printed_says_where_it_comes_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A comment above each statement says its origin, also of one not carried, which stderr has on a line."""
    path = tmp_path / "load.yml"
    path.write_text(
        "config: {ensure: {p95: 200, thresholds: [{http.codes.500: 1}], max: 200, maxErrorRate: 1}}"
    )
    assert main(["convert", str(path), "-o", str(tmp_path / "ours.yaml")]) == 0
    printed = capsys.readouterr()
    assert (tmp_path / "ours.yaml").read_text().splitlines() == [
        "# From load.yml, of Artillery.",
        *(f"# {line}" for line in artillery.DIFFERS),
        "thresholds:",
        "  # p95: 200",
        "  - p95 < 200 ms",
        "  # thresholds: http.codes.500: 1",
        f"  # not carried: http.codes.500: {STATUS}",
        "  # max: 200",
        "  - max < 200 ms",
        "  # maxErrorRate: 1",
        "  - error_rate of iteration:* <= 1%",
    ]
    assert printed.out == f"{tmp_path / 'ours.yaml'}\n"
    assert printed.err == f"{path}: not carried: thresholds: http.codes.500: 1: http.codes.500: {STATUS}\n"
    assert main(["check", "--thresholds", str(tmp_path / "ours.yaml")]) == 0


def test_what_a_thresholds_file_refuses_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that always holds and a statement that is there already are not printed, but named."""
    thresholds = {"http_req_failed": ["rate<=1", "rate<0.01"], "http_req_failed{}": ["rate<0.010"]}
    path = written(
        tmp_path / "k6.json", {"thresholds": {"http_req_failed": ["rate<=1", "rate<0.01", "rate<0.010"]}}
    )
    assert thresholds
    assert main(["convert", path]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out) == {"thresholds": ["error_rate < 1%"]}
    always, twice = printed.err.splitlines()
    assert "always holds" in always
    assert "is there already" in twice


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("{", (), "is not valid JSON in line 1"),
        ('{"thresholds": {"a": [], "a": []}}', (), "a key appears twice"),
        ("a: b: c", (), "is not valid YAML in line 1"),
        ("a: 1\na: 2", (), "key 'a' appears twice"),
        ("[" * 100_000, (), "is not valid JSON"),
        ("a: 5", (), "has no thresholds that can be read, valid is of k6 options"),
        ("thresholds: [p95 < 5 ms]", (), "has no thresholds"),
        ("config: {ensure: {p95: 5}}", ("--from", "k6"), "valid is of k6 options as JSON"),
        ("config: {ensure: {p75: 5}}", (), "has no threshold that can be written here"),
        ("{config: {ensure: {p95: 5}}, thresholds: {http_reqs: [count>1]}}", (), "is not valid JSON"),
        ("config: {ensure: {p95: 5}}\nthresholds: {http_reqs: [count>1]}", (), "choose one with --from"),
        ("\xff", (), "has no thresholds"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, options: tuple[str, ...], said: str
) -> None:
    """A file that is damaged, of no tool or without any threshold ends with status 2 and says why."""
    path = tmp_path / "theirs"
    path.write_text(text)
    assert main(["convert", str(path), *options]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "bug" not in printed.err
    assert printed.out == ""


def test_a_missing_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there, and bytes that are no text, end with status 2."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert main(["convert", str(tmp_path / "nowhere")]) == 2
    assert main(["convert", str(tmp_path / "bytes")]) == 2
    missing, undecodable = capsys.readouterr().err.splitlines()
    assert "No such file" in missing
    assert "is not UTF-8 text" in undecodable


def test_secrets_are_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret in a name is shown neither in the thresholds file nor in what was not carried."""
    secret = "password=hunter2hunter2"
    rows = {
        f"http_req_duration{{name:/a?{secret}}}": ["avg<5"],
        f"http_req_waiting{{name:/a?{secret}}}": ["avg<5"],
    }
    assert main(["convert", written(tmp_path / "k6.json", {"thresholds": rows})]) == 0
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err


KEYS = (
    "thresholds threshold abortOnFail delayAbortEval options reporting module passfail criteria execution"
    " scenarios scenario subject label condition timeframe logic message class config ensure conditions"
    " expression strict plugins apdex environments p95 assertions path target expectedValues > ="
)
TEXTS = [
    part
    for row, *_ in K6 + TAURUS + ARTILLERY + GATLING
    for part in (row if isinstance(row, tuple) else [row])
]
WORDS = st.sampled_from([*KEYS.split(), *(part for part in TEXTS if isinstance(part, str))])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS
CONTENT = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(), inner, max_size=4),
)
PLACES = st.sampled_from(
    [
        lambda inner: {"thresholds": inner},
        lambda inner: {"thresholds": {"http_reqs": inner}},
        lambda inner: {"reporting": [{"module": "passfail", "criteria": inner}]},
        lambda inner: {"execution": [inner, {}], "scenarios": inner},
        lambda inner: {"config": {"ensure": inner, "apdex": inner}},
        lambda inner: {"config": {"ensure": {"conditions": [{"expression": inner}], "thresholds": [inner]}}},
        lambda inner: {"assertions": [{"path": "a", "target": inner, "condition": "is"}, inner]},
        lambda inner: inner,
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "thresholds: {http_reqs: NUMBER, ? NUMBER : [{threshold: NUMBER, ? NUMBER : NUMBER}]}",
        "reporting: {module: passfail, criteria: {? NUMBER : {subject: p9, condition: NUMBER}}}",
        "execution: {criteria: [{subject: p9, condition: <, threshold: NUMBER, timeframe: NUMBER}, NUMBER]}",
        "execution: {criteria: [{subject: NUMBER, condition: <, threshold: 1, ? NUMBER : NUMBER}]}",
        "config: {ensure: {? NUMBER : 1, p95: NUMBER, thresholds: [{? NUMBER : NUMBER}]}, apdex: NUMBER}",
        "- {path: NUMBER, target: NUMBER, condition: is, expectedValues: [NUMBER]}",
        "config: {ensure: &all [*all, *all]}",
        "config: {ensure: &all {conditions: [*all], ? NUMBER : *all}}",
    ],
)
def test_what_cannot_be_shown_is_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """A number with too many digits to print, and what contains itself, are refused with a message."""
    path = tmp_path / "theirs.yml"
    path.write_text(text.replace("NUMBER", "0x" + "f" * 5000))
    assert main(["convert", str(path)]) == 2
    assert "has no threshold" in capsys.readouterr().err


@given(PLACES, CONTENT)
def test_no_content_ends_in_a_traceback(place: Callable[[object], object], content: object) -> None:
    """Whatever stands where a tool has its thresholds, each is carried or said to be lost."""
    for convert in (k6.convert, taurus.convert, artillery.convert, gatling.convert):
        for item in convert(place(content)):
            assert item.entries or item.lost
            assert all(yaml.safe_load(f"- {entry.yaml}") for entry in item.entries)


@given(st.text() | st.tuples(PLACES, CONTENT))
def test_no_file_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: str | tuple[Callable[[object], object], object]
) -> None:
    """Any text, JSON or YAML is converted, or refused with a message."""
    path = tmp_path_factory.mktemp("any") / "file"
    text = content if isinstance(content, str) else json.dumps(content[0](content[1]))
    for spelt in (text, f"config:\n  ensure: {text}"):
        path.write_bytes(spelt.encode("utf-8", "surrogatepass"))
        assert main(["convert", str(path)]) in {0, 2}
