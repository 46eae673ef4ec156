"""k6: `thresholds` of its options as JSON, such as `k6 inspect` prints.

Each threshold holds: `p(95)<500`, over the whole run. Times are in ms, rates are shares from 0 to 1.
"""

import re
from collections.abc import Iterator

from reports.convert.statements import (
    Entry,
    Figure,
    Item,
    NotCarriedError,
    condition,
    duration_ms,
    figure,
    number,
    percentile,
    shown,
    statement,
    successes,
    text_of,
)

DIFFERS = (
    "k6 judges the whole run, Plimsoll its steady state.",
    "k6's times are of all requests, Plimsoll's of those that succeeded.",
)
EXPRESSION = re.compile(r"(?P<figure>\w+|p\(\s*(?P<level>[^()]*)\))\s*(?P<operator>[<>=!]+)\s*(?P<limit>\S+)")
OPERATORS = {sign: sign for sign in ("<", "<=", ">", ">=", "==", "!=")} | {"===": "=="}
TREND = {"avg": "mean", "min": "min", "max": "max", "med": "p50"}
ITERATIONS = ("iteration:*",)
TIMES: dict[str, tuple[str, ...]] = {
    "http_req_duration": (),
    "iteration_duration": ITERATIONS,
    "group_duration": (),
    "browser_web_vital_cls": ('"*.cls"',),
} | {f"browser_web_vital_{vital}": (f'"*.{vital}"', "type:VITAL") for vital in ("fcp", "lcp", "inp", "ttfb")}
"""What k6 has percentiles of, and the conditions that select it here."""
OTHERS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("http_reqs", "count"): ("count", ()),
    ("http_reqs", "rate"): ("rps", ()),
    ("http_req_failed", "rate"): ("error_rate", ()),
    ("iterations", "count"): ("count", ITERATIONS),
    ("iterations", "rate"): ("rps", ITERATIONS),
    ("dropped_iterations", "count"): ("dropped_iterations", ()),
    ("checks", "rate"): ("checks", ()),
    ("data_received", "count"): ("bytes", ()),
    ("data_received", "rate"): ("bytes_per_s", ()),
}
"""Our metric, and conditions, for the other aggregations."""
BUILT_IN = {*TIMES, *(metric for metric, _ in OTHERS)}
WITHOUT_EQUAL = {
    r"http_req_(blocked|connecting|tls_handshaking|sending|waiting|receiving)": (
        "a request is timed as a whole, not its parts"
    ),
    r"vus(_max)?": "how many users there are is planned, and not judged",
    r"data_sent": "bytes sent are not recorded",
    r"(ws|grpc)_\w+": "such requests have names and types of their own, as in 'p95 of type:WS < 200 ms'",
    r"browser_\w+": "requests within a page are not recorded",
}
WITHOUT_SELECTOR = {
    "status": "responses are not chosen by status",
    "url": "requests are chosen by name, not by URL",
    "group": "requests are not chosen by the transaction they are in; a tag can do that",
    "check": "it selects checks only",
}
UNSELECTED = re.compile(
    "proto|subproto|error|error_code|tls_version|service|expected_response|ip|iter|vu|ocsp_status"
)


def thresholds_of(content: object) -> dict[object, object]:
    """Return k6's thresholds in options, or in what has options; none where there are none."""
    for options in (content, content.get("options") if isinstance(content, dict) else None):
        thresholds = options.get("thresholds") if isinstance(options, dict) else None
        if isinstance(thresholds, dict):
            return thresholds
    return {}


def convert(content: object) -> Iterator[Item]:
    """Yield what becomes of each threshold."""
    for source, entries in thresholds_of(content).items():
        if not isinstance(entries, list):
            yield Item(
                text_of(source), lost=(f"it is {shown(entries)}, where k6 wants a list of thresholds",)
            )
            continue
        for entry in entries:
            details = entry if isinstance(entry, dict) else {"threshold": entry}
            expression = details.get("threshold")
            settings = [
                f"{text_of(key)} {text_of(value)}"
                for key, value in details.items()
                if key != "threshold" and value is not None
            ]
            said = text_of(expression)
            origin = ", ".join([f"{text_of(source)}: {said}", *settings])
            try:
                yield _threshold(origin, text_of(source), said, details)
            except NotCarriedError as reason:
                yield Item(origin, lost=(str(reason),))


def _threshold(origin: str, source: str, expression: str, details: dict[object, object]) -> Item:
    match = EXPRESSION.fullmatch(expression.strip())
    if match is None or match["operator"] not in OPERATORS:
        raise NotCarriedError("k6 cannot read it either: valid is such as 'p(95)<500'")
    metric, tags = _selected(source)
    of = _figure(metric, tags, match["figure"], match["level"], number(match["limit"]))
    limit = number(match["limit"]) * (100 if of.unit == "%" else 1)
    written = statement(of, OPERATORS[match["operator"]], limit)
    abort, delay = details.get("abortOnFail") is True, details.get("delayAbortEval")
    unknown = [text_of(key) for key in details if key not in {"threshold", "abortOnFail", "delayAbortEval"}]
    lost = [f"{key!r} is no setting of a threshold in k6" for key in unknown]
    if delay is not None and not abort:
        lost.append("'delayAbortEval' without 'abortOnFail' does nothing in k6, either")
    after_ms = 0.0
    if abort and delay is not None:
        try:
            after_ms = duration_ms(delay, 1.0)
        except NotCarriedError as reason:
            lost.append(f"'delayAbortEval': {reason}")
    return Item(origin, (Entry(written, abort=abort, after_ms=after_ms),), lost=tuple(lost))


def _selected(source: str) -> tuple[str, dict[str, str]]:
    """Return the metric and the tags of `metric{tag:value,tag:value}`."""
    metric, brace, rest = source.strip().partition("{")
    if brace and not rest.endswith("}"):
        raise NotCarriedError("k6 cannot read it either: a brace is not closed")
    tags = {}
    for tag in rest.removesuffix("}").split(",") if brace else ():
        key, _, value = (part.strip().strip("\"'") for part in tag.partition(":"))
        if not key or not value:
            raise NotCarriedError(f"k6 cannot read it either: the tag {tag!r} has no value")
        tags[key] = value
    return metric.strip(), tags


def _figure(metric: str, tags: dict[str, str], name: str, level: str | None, limit: float) -> Figure:
    """Return our figure for an aggregation of a metric; raises NotCarriedError where there is none."""
    for pattern, why in WITHOUT_EQUAL.items():
        if re.fullmatch(pattern, metric) and metric not in TIMES:
            raise NotCarriedError(why)
    trend = percentile(number(level)) if level is not None else TREND.get(name)
    if metric not in BUILT_IN:
        return _custom(metric, tags, name, trend, limit)
    if (trend and metric not in TIMES) or (not trend and (metric, name) not in OTHERS):
        raise NotCarriedError(f"there is no {name!r} of {metric!r} here")
    ours, selected = (trend, TIMES[metric]) if trend else OTHERS[metric, name]
    if metric == "group_duration":
        group = tags.pop("group", "*").removeprefix("::").replace("::", "/")
        selected = (condition(group, "transaction:"),)
    elif metric == "checks" and "check" in tags:
        selected = (condition(tags.pop("check")),)
    elif metric == "http_req_duration" and tags.get("expected_response") == "true":
        del tags["expected_response"]  # failed requests have no part in our latencies
    elif ours == "count" and metric == "http_reqs" and "expected_response" in tags:
        if tags.pop("expected_response") == "true":
            return successes(_conditions(tags))
        ours = "failures"
    return figure(ours, [*selected, *_conditions(tags)], unit="" if metric.endswith("_cls") else None)


def _custom(metric: str, tags: dict[str, str], name: str, trend: str | None, limit: float) -> Figure:
    """Return the figure of a metric of the script's own, whose kind only the aggregation tells."""
    selected = [condition(metric), *_conditions(tags)]
    if trend:
        return figure(trend, selected, unit="")
    if name == "count":
        return figure("count", selected)
    if name == "rate" and limit <= 1:
        return figure("rate", selected)
    if name == "rate":
        raise NotCarriedError("a counter's rate a second is not judged; its count is")
    if name == "value":
        raise NotCarriedError(
            "k6 asks the last value of a gauge, valid here is"
            f" 'max of {selected[0]}' or 'min of {selected[0]}'"
        )
    raise NotCarriedError(f"{name!r} is no aggregation of k6")


def _conditions(tags: dict[str, str]) -> list[str]:
    """Return the conditions of a selector; raises NotCarriedError for tags that select nothing here."""
    prefixes = {"name": "", "method": "type:", "scenario": "user:"}
    for key in tags:
        why = WITHOUT_SELECTOR.get(key) or (UNSELECTED.fullmatch(key) and "nothing is chosen by it here")
        if why:
            raise NotCarriedError(f"the tag {key!r}: {why}")
    return [
        condition(value, prefixes[key]) if key in prefixes else condition(f"{key}:{value}", "tag:")
        for key, value in tags.items()
    ]
