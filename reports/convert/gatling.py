"""Gatling: `js/assertions.json` of a report, which Gatling wrote up to version 3.9.

Each assertion holds, over the whole run. Times are in ms, shares in per cent. Of `forAll` the file has one
assertion for each request.
"""

import re
from collections.abc import Iterator

from reports.convert.statements import (
    MIRRORED,
    Entry,
    Figure,
    Item,
    NotCarriedError,
    condition,
    figure,
    number,
    percentile,
    shown,
    statement,
    successes,
    text_of,
)

DIFFERS = (
    "Gatling judges the whole run, Plimsoll its steady state.",
    "Gatling's times are of all requests, Plimsoll's of those that succeeded.",
    "Where a name is that of a group, write cumulated_p95 of transaction:NAME.",
)
OPERATORS = {
    "is less than": "<",
    "is less than or equal to": "<=",
    "is greater than": ">",
    "is greater than or equal to": ">=",
    "is": "==",
}
BETWEEN = {"is between": (">", "<"), "is between inclusive": (">=", "<=")}
TIME = re.compile(
    r"(?:(?P<name>min|max|mean|standard deviation)|(?P<level>[\d.]+)\w\w percentile) of response time"
)
NUMBER = re.compile(
    r"(?P<what>count|percentage|percent) of (?P<which>all|failed|successful) (?:events|requests)"
)
NAMES = {"min": "min", "max": "max", "mean": "mean", "standard deviation": "stdev"}


def assertions_of(content: object) -> list[object]:
    """Return the assertions of a report; none where there are none."""
    assertions = content.get("assertions") if isinstance(content, dict) else content
    if not isinstance(assertions, list):
        return []
    is_one = any(
        isinstance(entry, dict) and {"path", "target", "condition"} <= entry.keys() for entry in assertions
    )
    return assertions if is_one else []


def convert(content: object) -> Iterator[Item]:
    """Yield what becomes of each assertion."""
    for entry in assertions_of(content):
        if not isinstance(entry, dict):
            yield Item(
                shown(entry), lost=("it is no assertion: valid is a mapping with path, target and condition",)
            )
            continue
        path, target, asked = (text_of(entry.get(key)) for key in ("path", "target", "condition"))
        values = entry.get("expectedValues", entry.get("conditionValues"))
        origin = f"{path}: {target} {asked} {shown(values)}"
        try:
            yield _assertion(origin, path, target, asked, values if isinstance(values, list) else [values])
        except NotCarriedError as reason:
            yield Item(origin, lost=(str(reason),))


def _assertion(origin: str, path: str, target: str, asked: str, values: list[object]) -> Item:
    if path == "For all requests":
        raise NotCarriedError("a statement is not asked of each request; write one for each name")
    *groups, name = path.split(" / ")
    selected = [] if path == "Global" else [condition(name)]
    limits = [number(value) for value in values]
    if asked in BETWEEN and len(limits) == 2:
        asking = list(zip(BETWEEN[asked], limits, strict=True))
    elif asked in OPERATORS and len(limits) == 1:
        asking = [(OPERATORS[asked], limits[0])]
    elif asked == "is in" and len(limits) == 1:
        asking = [("==", limits[0])]
    else:
        raise NotCarriedError(f"there is no {asked!r} for {len(limits)} values here")
    of, is_inverse = _figure(target, selected)
    entries = tuple(
        Entry(statement(of, MIRRORED[sign], 100 - limit) if is_inverse else statement(of, sign, limit))
        for sign, limit in asking
    )
    within = " / ".join(groups)
    lost = f"the group {within!r}: requests named {name!r} are meant wherever they are sent" if groups else ""
    return Item(origin, entries, lost=(lost,) if lost else ())


def _figure(target: str, selected: list[str]) -> tuple[Figure, bool]:
    """Return our figure for a target, and whether it is what is missing to 100 %."""
    time, counted = TIME.fullmatch(target), NUMBER.fullmatch(target)
    if time is not None:
        metric = percentile(number(time["level"])) if time["level"] else NAMES[time["name"]]
        return figure(metric, selected), False
    if target == "mean requests per second":
        return figure("rps", selected), False
    if counted is None:
        raise NotCarriedError(f"the target {target!r} is not known")
    if counted["what"] != "count" and counted["which"] == "all":
        raise NotCarriedError("all requests are always 100 % of all")
    if counted["what"] != "count":
        return figure("error_rate", selected), counted["which"] == "successful"
    if counted["which"] == "successful":
        return successes(selected), False
    return figure("count" if counted["which"] == "all" else "failures", selected), False
