"""Taurus: criteria of the passfail module, of executions and of scenarios, as YAML or JSON.

A criterion says when a test fails, so what must hold here is its inverse. Without a time frame it is about
the whole run, otherwise about each second (`for`) or the last seconds together (`within`, `over`). A time
without a unit is in seconds.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from reports.convert.statements import (
    INVERSE,
    MIRRORED,
    MS_PER_S,
    Entry,
    Figure,
    Item,
    NotCarriedError,
    condition,
    duration_ms,
    figure,
    number,
    percentile,
    plain,
    shown,
    statement,
    successes,
    text_of,
    time,
)

DIFFERS = (
    "Taurus says when a test fails, Plimsoll what must hold: the operators are inverted.",
    "Without a time frame Taurus judges the whole run, Plimsoll its steady state.",
    "Taurus' times are of all samples, Plimsoll's of requests that succeeded.",
)
SIGN = r"(?P<condition><=|>=|==|<|>|=)"
CRITERION = re.compile(
    rf"(?P<subject>[^\s<>=]+)(?:\s+of\s+(?P<label>.+?))?\s*{SIGN}\s*(?P<threshold>[^\s<>=]+)"
    r"(?:\s+(?P<logic>for|within|over)\s+(?P<timeframe>\S+))?"
)
ACTION = re.compile(r"(?P<action>stop|continue)(?:\s+as\s+(?P<status>failed|non-failed))?")
BYTES = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(k|m)?(?:i?b)?", re.IGNORECASE)
BYTES_OF = {"": 1, "k": 1024, "m": 1024**2}
SETTINGS = {
    "subject",
    "label",
    "condition",
    "threshold",
    "logic",
    "timeframe",
    "stop",
    "fail",
    "message",
    "class",
}
WITHOUT_EQUAL = {
    r"avg-[cl]t": "a request is timed as a whole, not its parts",
    r"concurr\w*": "how many users there are is planned, and not judged",
    r"rc.*": "responses are not chosen by status",
}


def criteria_of(content: object) -> Iterator[tuple[object, str | None]]:
    """Yield the criteria of each place that may have some, and the scenario if there are several."""
    if not isinstance(content, dict):
        return
    for module in _listed(content.get("reporting")):
        if isinstance(module, dict) and module.get("module") == "passfail" and "criteria" in module:
            yield module["criteria"], None
    executions = _listed(content.get("execution"))
    for execution in executions:
        if isinstance(execution, dict) and "criteria" in execution:
            scenario = execution.get("scenario")
            named = scenario if isinstance(scenario, str) else ""
            yield execution["criteria"], named if len(executions) > 1 else None
    scenarios = content.get("scenarios")
    for name, scenario in scenarios.items() if isinstance(scenarios, dict) else ():
        if isinstance(scenario, dict) and "criteria" in scenario:
            yield scenario["criteria"], text_of(name) if len(executions) > 1 else None


def _listed(content: object) -> list[object]:
    return content if isinstance(content, list) else [content] if content is not None else []


def convert(content: object) -> Iterator[Item]:
    """Yield what becomes of each criterion."""
    for criteria, scenario in criteria_of(content):
        if not isinstance(criteria, list | dict):
            yield Item("criteria", lost=(f"it is {shown(criteria)}, where Taurus wants a list of criteria",))
            continue
        named = criteria.items() if isinstance(criteria, dict) else ((None, entry) for entry in criteria)
        for name, entry in named:
            long = entry if isinstance(entry, dict) else {}
            said = ", ".join(f"{text_of(key)} {text_of(long[key])}" for key in long) or text_of(entry)
            origin = said if name is None else f"{text_of(name)}: {said}"
            try:
                settings = _settings(entry) | ({} if name is None else {"message": name})
                difference = _difference(settings, is_short=isinstance(entry, str))
                yield replace(_criterion(origin, settings, scenario), differs=difference)
            except NotCarriedError as reason:
                yield Item(origin, lost=(str(reason),))


def _settings(entry: object) -> dict[object, object]:
    """Return a criterion in its long form, which the short one stands for."""
    if isinstance(entry, dict):
        return dict(entry)
    if not isinstance(entry, str):
        raise NotCarriedError("Taurus cannot read it either: valid is a text or a mapping")
    message, colon, rest = entry.partition(":")
    criterion, comma, action = (part.strip() for part in (rest if colon else entry).partition(","))
    match, acts = CRITERION.fullmatch(criterion), ACTION.fullmatch(action)
    if match is None or (comma and acts is None):
        raise NotCarriedError("it is no criterion such as 'avg-rt of label>150ms for 10s, stop as failed'")
    settings: dict[object, object] = {
        key: value for key, value in match.groupdict().items() if value is not None
    }
    if acts is not None:
        settings |= {"stop": acts["action"] == "stop", "fail": acts["status"] != "non-failed"}
    return settings | ({"message": message.strip()} if colon else {})


def _criterion(origin: str, settings: dict[object, object], scenario: str | None) -> Item:
    if not text_of(settings.get("class", "DataCriterion")).endswith("DataCriterion"):
        raise NotCarriedError(
            f"its class is {shown(settings['class'])}: only criteria about samples are judged; the CPU of the"
            " load generator is checked in each run"
        )
    subject, label = text_of(settings.get("subject")), settings.get("label")
    sign, limit = text_of(settings.get("condition")), text_of(settings.get("threshold")).strip()
    operator = INVERSE.get("==" if sign == "=" else sign)
    if operator is None:
        raise NotCarriedError(f"its condition is {shown(sign)}, valid in Taurus are <, <=, >, >= and =")
    selected = [condition(text_of(label))] if label else []
    if scenario is not None:
        if not scenario:
            raise NotCarriedError(
                "it is about one of several executions, whose scenario has no name to select it by"
            )
        selected.append(condition(scenario, "user:"))
    window_s = duration_ms(settings["timeframe"], MS_PER_S) / MS_PER_S if settings.get("timeframe") else 0.0
    logic = text_of(settings.get("logic", "for"))
    if logic not in {"for", "within", "over"}:
        raise NotCarriedError(f"its logic is {shown(logic)}, valid in Taurus are for, within and over")
    of, value, operator = _held(subject, selected, operator, limit, window_s, logic)
    fails, stops = settings.get("fail", True) is not False, settings.get("stop", True) is not False
    entry = Entry(
        statement(of, operator, value),
        level="fail" if fails else "warn",
        # Without a time frame Taurus judges when the load has ended: there is nothing to stop.
        abort=stops and fails and window_s > 0,
        name=text_of(settings.get("message") or ""),
    )
    lost = [f"{text_of(key)!r} is no setting of a criterion" for key in settings if key not in SETTINGS]
    if stops and not fails and window_s:
        lost.append("the run is not stopped without failing")
    return Item(origin, (entry,), lost=tuple(lost))


def _difference(settings: dict[object, object], *, is_short: bool) -> str:
    """Say what is asked otherwise here."""
    sign, logic, said = settings.get("condition"), settings.get("logic", "for"), []
    window_s = duration_ms(settings["timeframe"], MS_PER_S) / MS_PER_S if settings.get("timeframe") else 0.0
    if is_short and settings.get("label") and sign in {"<=", ">="}:
        said.append(f"Taurus takes the first character of '{sign}' for a part of the label")
    if window_s > 1 and logic == "for":
        said.append(f"stricter: asked of {plain(window_s)} s as a whole, not of each second in them")
    elif window_s and logic != "for":
        said.append(f"asked of whole windows of {plain(window_s)} s, in which all requests count alike")
    return "; ".join(said)


def _held(
    subject: str, selected: list[str], operator: str, limit: str, window_s: float, logic: str
) -> tuple[Figure, float, str]:
    """Return the figure that must hold, its limit and its operator."""
    for pattern, why in WITHOUT_EQUAL.items():
        if re.fullmatch(pattern, subject):
            raise NotCarriedError(why)
    scope = f"worst {time(window_s * MS_PER_S)}" if window_s else ""
    is_share, kind = limit.endswith("%"), subject[:4]
    if is_share and kind in {"succ", "fail"}:
        share = number(limit.removesuffix("%"))
        error_rate = figure("error_rate", selected, scope)
        return (
            (error_rate, share, operator) if kind == "fail" else (error_rate, 100 - share, MIRRORED[operator])
        )
    if is_share:
        raise NotCarriedError(f"its threshold is {limit!r}, but {subject!r} is no share")
    if kind in {"succ", "fail"} or subject in {"hits", "bytes"}:
        return *_counted(subject, selected, scope, limit, window_s if logic == "for" else 0.0), operator
    level = re.fullmatch(r"p(\d+(?:\.\d+)?)", subject)
    metric = percentile(number(level[1])) if level else {"avg-rt": "mean", "stdev-rt": "stdev"}.get(subject)
    if metric is None:
        raise NotCarriedError(f"its subject is {shown(subject)}, which Taurus does not have")
    return figure(metric, selected, scope), duration_ms(limit, MS_PER_S), operator


def _counted(
    subject: str, selected: list[str], scope: str, limit: str, each_second_of_s: float
) -> tuple[Figure, float]:
    """Return the figure and the limit of what is counted, in all or in each second of so many."""
    if subject == "bytes":
        match = BYTES.fullmatch(limit)
        if match is None:
            raise NotCarriedError(f"its threshold is {limit!r}, where a size such as '10MB' is wanted")
        size = number(match[1]) * BYTES_OF[(match[2] or "").lower()]
        return figure("bytes_per_s" if scope else "bytes", selected, scope), size
    if subject == "hits":
        return figure("rps" if each_second_of_s else "count", selected, scope), number(limit)
    if subject.startswith("fail"):
        # More than so many in each second are more than so many times the seconds in all of them.
        return figure("failures", selected, scope), number(limit) * (each_second_of_s or 1)
    if scope:
        raise NotCarriedError("successes are not counted by time; their share is, as in 'succ<95% for 10s'")
    return successes(selected), number(limit)
