"""Artillery: `config.ensure` of a script as YAML or JSON, with thresholds, conditions and the older keys.

Each holds at the end, over the whole run. A threshold is a metric that is strictly less than a number; a
condition is an expression of metrics, of which `and` makes several statements. Times are in ms.
"""

import re
from collections.abc import Iterator
from functools import partial

from reports.convert.expression import BUILT_IN, comparisons_of, statement_of
from reports.convert.statements import (
    NUMBER,
    Entry,
    Figure,
    Item,
    NotCarriedError,
    condition,
    figure,
    number,
    shown,
    successes,
    text_of,
    time,
)

DIFFERS = (
    "Artillery judges the whole run, Plimsoll its steady state.",
    "Artillery's times are of all responses, up to the first byte; Plimsoll's of successes, up to the last.",
)
OLDER = ("min", "max", "median", "p95", "p99")
APDEX_MS = 500
AGGREGATION = r"(?P<aggregation>min|max|mean|median|p50|p75|p90|p95|p99|p999)"
NAMES = {"median": "p50", "p999": "p99.9"}
ITERATIONS = ("iteration:*",)
TIMES = (
    (rf"http\.response_time\.{AGGREGATION}", ()),
    (rf"vusers\.session_length\.{AGGREGATION}", ITERATIONS),
    (rf"plugins\.metrics-by-endpoint\.response_time\.(?P<name>.+)\.{AGGREGATION}", ()),
)
OTHERS = {
    "http.requests": figure("count"),
    "http.request_rate": figure("rps"),
    "http.downloaded_bytes": figure("bytes"),
    "vusers.created": figure("count", ITERATIONS),
    "vusers.completed": successes(ITERATIONS),
    "vusers.failed": figure("failures", ITERATIONS),
    "vusers.skipped": figure("dropped_iterations"),
    # Not of requests: of users, those that did not complete their scenario.
    "maxErrorRate": figure("error_rate", ITERATIONS),
}
WITHOUT_EQUAL = {
    r"http\.codes\..*|.*\.codes\.\d+": "responses are not chosen by status",
    r"http\.responses|.*response_time\..*count": "all requests are counted: valid is http.requests",
    r"http\.(dns|tcp|tls|total)\..*": "a request is timed as a whole, not its parts",
    r"errors\..*|plugins\.metrics-by-endpoint\..*": "failures are not chosen by their kind",
    r"plugins\.expect\..*": "what an expectation found is a check here: valid is 'checks >= 100%'",
    r"browser\..*": "a page has a name here, not a URL: valid is such as 'p75 of pages.home.lcp < 2.5 s'",
    r"(websocket|socketio)\..*": "such requests have types of their own, as in 'p95 of type:WS < 200 ms'",
    r"ranking": "it is a word; its number is apdex",
}
SCENARIO = "vusers.created_by_name."


def settings_of(content: object, plugin: str = "ensure") -> dict[object, object]:
    """Return what a script ensures, or has set for another plugin; nothing where it has not."""
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        return {}
    plugins = config.get("plugins")
    for place in (config, plugins if isinstance(plugins, dict) else {}):
        settings = place.get(plugin)
        if isinstance(settings, dict) and settings:
            return settings
    return {}


def convert(content: object) -> Iterator[Item]:
    """Yield what becomes of each threshold, condition and older key."""
    config = content.get("config") if isinstance(content, dict) else None
    config = config if isinstance(config, dict) else {}
    apdex_ms = settings_of(content, "apdex").get("threshold", APDEX_MS)
    for origin, expression, level in _expressions(settings_of(content)):
        try:
            if not isinstance(expression, str):
                raise NotCarriedError("Artillery cannot use it either: valid is one metric with a number")  # noqa: TRY301 - one place names the threshold
            entries, lost = list[Entry](), list[str]()
            for comparison in comparisons_of(expression, partial(_figure, apdex_ms=apdex_ms)):
                try:
                    entries.append(Entry(statement_of(comparison), level=level))
                except NotCarriedError as reason:
                    lost.append(str(reason))
            yield Item(origin, tuple(entries), lost=tuple(lost))
        except RecursionError:
            yield Item(origin, lost=("it is too deeply nested",))
        except NotCarriedError as reason:
            yield Item(origin, lost=(str(reason),))
    environments = config.get("environments")
    for name, environment in environments.items() if isinstance(environments, dict) else ():
        if settings_of({"config": environment}):
            yield Item(
                f"environments: {text_of(name)}",
                lost=("what an environment ensures needs a thresholds file of its own",),
            )


def _expressions(ensure: dict[object, object]) -> Iterator[tuple[str, object, str]]:
    """Yield where each expression stands, the expression or None, and its level here."""
    for key, value in ensure.items():
        origin = f"{text_of(key)}: {text_of(value)}"
        if key in OLDER:
            yield origin, _compared(f"http.response_time.{key}", "<", value), "fail"
        elif key == "maxErrorRate":
            yield origin, _compared(key, "<=", value), "fail"
        elif key in {"thresholds", "conditions"} and isinstance(value, list):
            for entry in value:
                if not isinstance(entry, dict) or not entry:
                    yield f"{key}: {shown(entry)}", None, "fail"
                elif key == "conditions":
                    level = "warn" if entry.get("strict") is False else "fail"
                    expression = entry.get("expression")
                    said = expression if isinstance(expression, str) else shown(entry)
                    yield f"{key}: {said}{', strict: false' if level == 'warn' else ''}", expression, level
                else:
                    for at, (metric, limit) in enumerate(entry.items()):
                        origin = f"{key}: {text_of(metric)}: {text_of(limit)}"
                        # Of several metrics in one entry Artillery reads the first.
                        yield origin, None if at else _compared(text_of(metric), "<", limit), "fail"
        else:
            yield origin, None, "fail"


def _compared(metric: str, operator: str, limit: object) -> str | None:
    """Return the expression that a metric keeps to a limit; None where that is no number."""
    text = text_of(limit).strip()
    return f"'{metric}' {operator} {text}" if NUMBER.fullmatch(text) else None


def _figure(name: str, apdex_ms: object) -> Figure:
    """Return our figure for a metric of Artillery; raises NotCarriedError where there is none."""
    for pattern, selected in TIMES:
        if match := re.fullmatch(pattern, name):
            names = [condition(match["name"])] if "name" in match.groupdict() else selected
            return figure(NAMES.get(match["aggregation"], match["aggregation"]), names)
    for pattern, why in WITHOUT_EQUAL.items():
        if re.fullmatch(pattern, name):
            raise NotCarriedError(f"{name}: {why}")
    if name == "apdex":
        return Figure(f"apdex({time(number(apdex_ms))})", "")
    if name in OTHERS:
        return OTHERS[name]
    if name.startswith(SCENARIO):
        return figure("count", [*ITERATIONS, condition(name.removeprefix(SCENARIO), "user:")])
    if BUILT_IN.fullmatch(name):
        raise NotCarriedError(f"Artillery has no metric {name!r}")
    custom, _, aggregation = name.rpartition(".")
    if custom and re.fullmatch(AGGREGATION, aggregation):
        return figure(NAMES.get(aggregation, aggregation), [condition(custom)], unit="")
    return figure("count", [condition(name)])
