"""What k6, Gatling, JMeter, Artillery, Taurus and Hyperfoil can ask of a run can be asked here."""

from dataclasses import replace

import numpy as np
import pytest

from reports.estimates.loop_lag import without_lag
from reports.load.run import Run, Stage
from reports.steady_state import steady_state
from reports.thresholds.entries import threshold_of
from reports.thresholds.reading import limits_ms
from reports.verdict.judge import judge_threshold
from tests.make_recorded import even, open_run

ITERATIONS = "iteration:*"
K6: list[tuple[str, object, str, float, str]] = [
    ("http_req_duration: p(95)<500", "p95 < 500 ms", "<", 500, "ms"),
    ("http_req_duration: p(99.9)<=1500", "p99.9 <= 1.5 s", "<=", 1500, "ms"),
    ("http_req_duration: avg<200", "mean < 200 ms", "<", 200, "ms"),
    ("http_req_duration: min>1", "min > 1 ms", ">", 1, "ms"),
    ("http_req_duration: max<2000", "max < 2 s", "<", 2000, "ms"),
    ("http_req_duration: med<100", "p50 < 100 ms", "<", 100, "ms"),
    ("http_req_duration: p(95)>=100", {"expr": "p95 >= 100 ms", "inverted": True}, ">=", 100, "ms"),
    (
        "http_req_duration{name:login,method:POST}: p(95)<500",
        "p95 of login and type:POST < 500 ms",
        "<",
        500,
        "ms",
    ),
    ("http_req_duration{staticAsset:yes}: p(95)<500", "p95 of tag:staticAsset:yes < 500 ms", "<", 500, "ms"),
    ("http_req_duration{scenario:shop}: p(95)<500", "p95 of user:shop < 500 ms", "<", 500, "ms"),
    ("http_req_failed: rate<0.01", "error_rate < 1%", "<", 1, "%"),
    ("http_req_failed: rate==0", "failures == 0", "==", 0, ""),
    ("http_reqs: count>1000", "count > 1000", ">", 1000, ""),
    ("http_reqs: count===1000", "count == 1000", "==", 1000, ""),
    ("http_reqs: count!=0", "count != 0", "!=", 0, ""),
    ("http_reqs: rate>100", "rps > 100/s", ">", 100, "/s"),
    ("checks: rate>0.99", "checks > 99%", ">", 99, "%"),
    ("checks{check:status is 200}: rate>0.99", "checks of 'status is 200' > 99%", ">", 99, "%"),
    ("dropped_iterations: count==0", "dropped_iterations == 0", "==", 0, ""),
    ("iterations: count>10", f"count of {ITERATIONS} > 10", ">", 10, ""),
    ("iterations: rate>2", f"rps of {ITERATIONS} > 2/s", ">", 2, "/s"),
    ("iteration_duration: p(90)<3000", f"p90 of {ITERATIONS} < 3 s", "<", 3000, "ms"),
    ("group_duration{group:::pay}: avg<3000", "mean of transaction:pay < 3 s", "<", 3000, "ms"),
    ("vus: value>10", "mean of generator.users > 10", ">", 10, ""),
    ("data_received: count<1000000", "bytes < 1 MB", "<", 1e6, "B"),
    ("data_received: rate<1000", "bytes_per_s < 1 KB/s", "<", 1000, "B/s"),
    ("my_counter: count>5", "count of my_counter > 5", ">", 5, ""),
    ("my_gauge: value<10", "max of my_gauge < 10", "<", 10, ""),
    ("my_rate: rate>0.8", "rate of my_rate > 80%", ">", 80, "%"),
    ("my_trend: p(95)<0.1", "p95 of my_trend < 0.1", "<", 0.1, ""),
    ("browser_web_vital_lcp: p(75)<2500", "p75 of *.lcp < 2.5 s", "<", 2500, "ms"),
    (
        "{threshold: p(95)<500, abortOnFail: true, delayAbortEval: 10s}",
        {"expr": "p95 < 500 ms", "abort": True, "after": "10 s"},
        "<",
        500,
        "ms",
    ),
]
GATLING: list[tuple[str, object, str, float, str]] = [
    ("global.responseTime.min.gt(1)", "min > 1 ms", ">", 1, "ms"),
    ("global.responseTime.max.lt(1000)", "max < 1 s", "<", 1000, "ms"),
    ("global.responseTime.mean.lte(100)", "mean <= 100 ms", "<=", 100, "ms"),
    ("global.responseTime.stdDev.lt(50)", "stdev < 50 ms", "<", 50, "ms"),
    ("global.responseTime.percentile1.lt(100)", "p50 < 100 ms", "<", 100, "ms"),
    ("global.responseTime.percentile(99.9).lt(100)", "p99.9 < 100 ms", "<", 100, "ms"),
    ("global.responseTime.mean.between(90, 110)", "mean between 90 ms and 110 ms", "between", 90, "ms"),
    ("global.responseTime.mean.around(100, 10)", "mean == 100 ms ± 10 ms", "between", 90, "ms"),
    ("global.responseTime.mean.deviatesAround(100, 0.1)", "mean == 100 ms ± 10%", "between", 90, "ms"),
    ("global.allRequests.count.is(100)", "count == 100", "==", 100, ""),
    ("global.allRequests.count.in(99, 100, 101)", "count == 100 ± 1", "between", 99, ""),
    ("global.failedRequests.count.is(0)", "failures == 0", "==", 0, ""),
    ("global.failedRequests.percent.lte(5)", "error_rate <= 5%", "<=", 5, "%"),
    ("global.successfulRequests.percent.gt(95)", "error_rate < 5%", "<", 5, "%"),
    ("global.successfulRequests.count.gte(10)", "count - failures >= 10", ">=", 10, ""),
    ("global.requestsPerSec.gte(100)", "rps >= 100/s", ">=", 100, "/s"),
    ("forAll.responseTime.max.lt(1000)", "max < 1 s", "<", 1000, "ms"),
    ("details('Search').failedRequests.percent.lt(1)", "error_rate of Search < 1%", "<", 1, "%"),
    (
        "details('g' / 'req').responseTime.max.lt(9)",
        "cumulated_max of transaction:g/req < 9 ms",
        "<",
        9,
        "ms",
    ),
]
JMETER: list[tuple[str, object, str, float, str]] = [
    ("APDEX, T = 500 ms", "apdex(500 ms) > 0.9", ">", 0.9, ""),
    ("APDEX of a transaction", "apdex(1 s) of transaction:pay > 0.85", ">", 0.85, ""),
    ("#Samples", "count >= 1000", ">=", 1000, ""),
    ("FAIL", "failures <= 3", "<=", 3, ""),
    ("Error %", "error_rate < 1%", "<", 1, "%"),
    ("Average", "mean < 300 ms", "<", 300, "ms"),
    ("Median, 90th, 95th and 99th pct", "p99 < 1 s", "<", 1000, "ms"),
    ("Transactions/s", "rps > 50/s", ">", 50, "/s"),
    ("Received KB/s", "bytes_per_s < 500 KB/s", "<", 5e5, "B/s"),
    ("AutoStop: error rate for 10 s", {"expr": "error_rate worst 10 s < 50%", "abort": True}, "<", 50, "%"),
    ("Duration Assertion", "max of pay < 3 s", "<", 3000, "ms"),
]
ARTILLERY: list[tuple[str, object, str, float, str]] = [
    ("http.response_time.p95: 250", "p95 < 250 ms", "<", 250, "ms"),
    ("http.response_time.p999: 1000", "p99.9 < 1 s", "<", 1000, "ms"),
    ("http.response_time.median: 100", "p50 < 100 ms", "<", 100, "ms"),
    ("vusers.session_length.max: 9000", f"max of {ITERATIONS} < 9 s", "<", 9000, "ms"),
    ("plugins.metrics-by-endpoint.response_time./a.p99: 3", "p99 of /a < 3 ms", "<", 3, "ms"),
    ("http.request_rate > 100", "rps > 100/s", ">", 100, "/s"),
    ("http.requests == 7", "count == 7", "==", 7, ""),
    ("vusers.failed == 0", f"failures of {ITERATIONS} == 0", "==", 0, ""),
    ("vusers.skipped == 0", "dropped_iterations == 0", "==", 0, ""),
    ("http.downloaded_bytes < 1000", "bytes < 1000 B", "<", 1000, "B"),
    ("apdex > 0.9", "apdex(500 ms) > 0.9", ">", 0.9, ""),
    (
        "vusers.failed / vusers.created < 0.01",
        f"failures of {ITERATIONS} / count of {ITERATIONS} < 0.01",
        "<",
        0.01,
        "",
    ),
    (
        "(vusers.failed / vusers.created) * 100 <= 1",
        f"(failures of {ITERATIONS} / count of {ITERATIONS}) * 100 <= 1",
        "<=",
        1,
        "",
    ),
    ("http.response_time.p99 - http.response_time.p50 < 100", "p99 - p50 < 100 ms", "<", 100, "ms"),
    ("strict: false", {"expr": "apdex(500 ms) > 0.95", "level": "warn"}, ">", 0.95, ""),
    ("maxErrorRate: 1", f"error_rate of {ITERATIONS} <= 1%", "<=", 1, "%"),
    ("my.counter >= 10", "count of my.counter >= 10", ">=", 10, ""),
]
TAURUS: list[tuple[str, object, str, float, str]] = [
    ("avg-rt of Sample Label>150ms", "mean of 'Sample Label' <= 150 ms", "<=", 150, "ms"),
    ("p90>1s for 10s, stop", {"expr": "p90 worst 10 s <= 1 s", "abort": True}, "<=", 1000, "ms"),
    ("p90>1s within 10s", "p90 worst 10 s <= 1 s", "<=", 1000, "ms"),
    ("p90>1s over 10s", "p90 each 10 s <= 1 s", "<=", 1000, "ms"),
    ("stdev-rt>0.5", "stdev <= 500 ms", "<=", 500, "ms"),
    ("hits<500 over 5s", "count each 5 s >= 500", ">=", 500, ""),
    ("bytes>1MB within 2s", "bytes worst 2 s <= 1 MB", "<=", 1e6, "B"),
    ("succ<95%", "error_rate <= 5%", "<=", 5, "%"),
    (
        "fail>50% for 10s, stop as failed",
        {"expr": "error_rate worst 10 s <= 50%", "abort": True},
        "<=",
        50,
        "%",
    ),
    ("fail>20 over 5s", "failures each 5 s <= 20", "<=", 20, ""),
    ("concurrency>100", "max of generator.users <= 100", "<=", 100, ""),
    ("p90>2, continue as non-failed", {"expr": "p90 <= 2 s", "level": "warn"}, "<=", 2000, "ms"),
    ("Too slow: p90>2", {"expr": "p90 <= 2 s", "name": "Too slow"}, "<=", 2000, "ms"),
    ("MonitoringCriteria local/cpu>90 over 30s", "mean of generator.cpu each 30 s <= 90%", "<=", 90, "%"),
    ("MonitoringCriteria server/mem>500", "max of service.memory <= 500 MB", "<=", 5e8, "B"),
]
HYPERFOIL: list[tuple[str, object, str, float, str]] = [
    ("errorRatio: 0.01", "error_rate < 1%", "<", 1, "%"),
    ("invalidRatio: 0.01, of a metric", "error_rate of type:GET < 1%", "<", 1, "%"),
    ("meanResponseTime: 20 ms", "mean < 20 ms", "<", 20, "ms"),
    ("blockedRatio: 0", "dropped_iterations <= 0%", "<=", 0, "%"),
    ("limits: {0.99: 1 s}", "p99 < 1 s", "<", 1000, "ms"),
    ("window: 10s, limits: {0.999: 1 s}, of a phase", "p99.9 during hold worst 10 s < 1 s", "<", 1000, "ms"),
    ("compensated metric: p99", "corrected_p99 during hold < 1 s", "<", 1000, "ms"),
]
PEERS = [*K6, *GATLING, *JMETER, *ARTILLERY, *TAURUS, *HYPERFOIL]


@pytest.mark.parametrize(("theirs", "ours", "operator", "limit", "unit"), PEERS)
def test_what_others_ask_can_be_asked(
    theirs: str, ours: object, operator: str, limit: float, unit: str
) -> None:
    """Each expression of another tool has an equal with the same limit, in the sense that must hold."""
    statement = threshold_of(ours).statement

    assert statement.operator == operator, theirs
    assert statement.limit == pytest.approx(limit)
    assert statement.metric.kind.unit == unit


@pytest.fixture(scope="module")
def known() -> Run:
    """Return a minute of 10 arrivals a second, of which each request and each figure is known.

    An iteration takes 250 ms and makes a request of 100 ms and 2 bytes, of ten names one after the other; one
    of 600 fails. Every second ten checks hold, a rate is hit, 10 are counted, a gauge is 5, a trend 0.05.
    """
    names = ["login", "Search", "pay", "/a", "Sample Label", "page.lcp", "b", "c", "d", "e"]
    made = even(600, name=np.tile(names, 60), failed=np.arange(600) == 300, user_class="shop", delay_ms=0.0)
    made["request_type"] = np.where(made["name"] == "login", "POST", "GET")
    made["tags"] = np.where(made["name"] == "b", "staticAsset:yes", "")
    parts = [made, even(600, 250.0, request_type="iteration", name="shop.visit", delay_ms=0.0)]
    for name in ("pay", "g/req"):
        parts += [even(600, 250.0, request_type=f"transaction{end}", name=name) for end in ("", "_busy")]
    for kind, name, value in (
        ("check", "status is 200", 0.0),
        ("rate", "my_rate", 0.0),
        ("counter", "my_counter", 1.0),
        ("counter", "my.counter", 1.0),
        ("gauge", "my_gauge", 5.0),
        ("trend", "my_trend", 0.05),
    ):
        parts.append(even(600, 1000 * value, request_type=kind, name=name))
    run = open_run(*parts, limits=tuple(limits_ms([threshold_of(ours) for _, ours, *_ in PEERS])))
    health = run.health.assign(users=20.0, cpu_ratio=0.5)
    return replace(run, health=health, meta=replace(run.meta, stages=[Stage("hold", 0, 60, 10, 10)]))


BROKEN = {
    "failures == 0",
    "count == 1000",
    "count > 1000",
    "rps > 100/s",
    "count == 100",
    "count == 100 ± 1",
    "rps >= 100/s",
    "rps > 50/s",
    "count >= 1000",
    "count == 7",
    "count each 5 s >= 500",
    "p99 of /a < 3 ms",
    "cumulated_max of transaction:g/req < 9 ms",
    "mean < 20 ms",
    "p50 < 100 ms",
    "bytes < 1000 B",
    "p99.9 < 100 ms",
}
"""What is not so in the run; the rest is, as far as it can be told."""
OPEN = {
    "p99.9 < 1 s": "599 successful requests are too few",
    "p99.9 <= 1.5 s": "599 successful requests are too few",
    "p99.9 during hold worst 10 s < 1 s": "successful requests are too few",
    "error_rate of Search < 1%": "the limit lies inside the interval",
    "error_rate < 1%": "the limit lies inside the interval",
    "max of service.memory <= 500 MB": "the run has no samples of 'service.memory'",
}


@pytest.mark.parametrize(("theirs", "ours", "operator", "limit", "unit"), PEERS)
def test_what_others_ask_is_judged(
    known: Run, theirs: str, ours: object, operator: str, limit: float, unit: str
) -> None:
    """On a run of known truth each of them holds, is broken, or says why nothing can be said."""
    del operator, limit, unit
    found = judge_threshold(threshold_of(ours), known, steady_state(known), without_lag(known))
    source = found.source

    wanted = "FAIL" if source in BROKEN else "INCONCLUSIVE" if source in OPEN else "PASS"
    assert found.outcome.name == wanted, (theirs, found.reason, found.estimate)
    assert OPEN.get(source, "") in found.reason


@pytest.mark.parametrize("word", ["rc500", "http.codes.500", "http_req_connecting", "avg-lt", "avg-ct"])
def test_statuses_and_parts_of_a_request_are_no_metrics(word: str) -> None:
    """What is not recorded (statuses, the times of connecting and of waiting) is refused by its name."""
    with pytest.raises(ValueError, match=f"unknown metric '{word}'"):
        threshold_of(f"{word} < 20")
