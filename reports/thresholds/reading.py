"""Read the thresholds of a run: a YAML list of statements that must hold.

    thresholds:
      - p95 of careers.select < 500 ms
      - {expr: "error_rate < 10%", level: warn}

Everything wrong is reported at once, before any load starts, and soon: how much is read is limited.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from plimsoll.redact import redact
from reports.errors import ConfigError, Fault, nearest_hint
from reports.files import read_regular
from reports.thresholds.grammar import parse
from reports.thresholds.metric import CUSTOM, LATENCY
from reports.thresholds.selector import ALL, ITERATIONS, TRANSACTIONS, Condition, Target
from reports.thresholds.statement import Statement

LEVELS = ("fail", "warn")
LATER = ("abort", "after")
KEYS = ("expr", "level")
LONGEST_QUOTE = 120
MAX_BYTES = 64 * 1024
MAX_STATEMENTS = 1000
MAX_STATEMENT_LENGTH = 1000
COLON_PROBLEMS = ("mapping values are not allowed", "but got ':'")
QUOTE_HINT = "a statement with ': ' in it must be in quotes"
EXAMPLE = "such as 'p95 of careers.select < 500 ms'"


@dataclass(frozen=True)
class Threshold:
    """Hold one statement and whether it decides the verdict (`fail`) or only informs (`warn`)."""

    statement: Statement
    level: Literal["fail", "warn"] = "fail"


@dataclass(frozen=True)
class Known:
    """Hold what a run can send, as far as it is known before, by names; user classes, too.

    All but those of requests and user classes may be globs: `*` where any may come.
    """

    requests: Sequence[str]
    metrics: Sequence[str] = ()
    users: Sequence[str] = ()
    tags: Sequence[str] = (ALL,)
    transactions: Sequence[str] = (ALL,)
    iterations: Sequence[str] = (ALL,)


def read_thresholds(path: Path, known: Known | None = None) -> list[Threshold]:
    """Return the thresholds of a YAML file.

    Raises ConfigError with every fault, also when the file cannot be read, is not a regular file or has more
    than MAX_BYTES; with *known* also for selectors that match nothing known.
    """
    try:
        text = read_regular(path, MAX_BYTES).decode()
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"is not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    return parse_thresholds(text, known)


def parse_thresholds(text: str, known: Known | None = None) -> list[Threshold]:
    """Return the thresholds of a YAML text, in its order.

    Raises ConfigError with every fault, one line each, as `read_thresholds` does.
    """
    content = _content(text)
    if not isinstance(content, dict):
        wanted = "must be a mapping with the key 'thresholds'"
        raise ConfigError([Fault(f"{wanted}, got {type(content).__name__} {_quoted(content)}", wanted)])
    faults: list[Fault | str] = [
        Fault(f"unknown key {_quoted(key)}, valid is only 'thresholds'", "has keys other than 'thresholds'")
        for key in content
        if key != "thresholds"
    ]
    entries = content.get("thresholds")
    if not isinstance(entries, list) or not entries:
        wanted = f"'thresholds' must be a list of at least one statement {EXAMPLE}"
        got = "nothing" if "thresholds" not in content else _quoted(entries)
        raise ConfigError([*faults, Fault(f"{wanted}, got {got}", wanted)])
    if len(entries) > MAX_STATEMENTS:
        raise ConfigError([f"has {len(entries):,} statements, at most {MAX_STATEMENTS:,} are allowed"])
    thresholds: dict[Statement, Threshold] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            threshold = _threshold(entry)
            if threshold.statement in thresholds:
                raise ValueError("appears twice, valid is once")  # noqa: TRY301 - one place names the entry
            thresholds[threshold.statement] = threshold
        except ValueError as error:
            unquoted = f"threshold {number} is not valid, or appears twice; valid is a statement {EXAMPLE}"
            faults.append(Fault(f"threshold {number} {_quoted(entry)}: {error}", unquoted))
    if known is not None:
        faults += validate(list(thresholds.values()), known)
    if faults:
        raise ConfigError(faults)
    return list(thresholds.values())


def validate(thresholds: Sequence[Threshold], known: Known) -> list[str]:
    """Return a fault for every selector that names what the run does not know, with the nearest names."""
    return [
        f"threshold {statement.source!r}: {fault}"
        for statement in (threshold.statement for threshold in thresholds)
        for fault in [next(_unknown(statement, known), None)]
        if fault
    ]


def as_yaml(thresholds: Sequence[Threshold]) -> str:
    """Return a thresholds file that says the same, with secrets masked and without comments."""
    entries = [
        threshold.statement.source
        if threshold.level == "fail"
        else {"expr": threshold.statement.source, "level": threshold.level}
        for threshold in thresholds
    ]
    return yaml.safe_dump({"thresholds": entries}, allow_unicode=True, sort_keys=False, width=math.inf)


def limits_ms(thresholds: Sequence[Threshold]) -> list[float]:
    """Return the latencies at and above which the thresholds want requests counted, ascending.

    Among them are limits of gauges and trends, as the recorder has their values.
    """
    stated = [t.statement for t in thresholds if t.statement.metric.kind in {LATENCY, CUSTOM}]
    return sorted({statement.recorded.first_value_outside for statement in stated})


def unmatched(what: str, pattern: str, known_names: Sequence[str]) -> str:
    """Say that a pattern matches no name of *what*, what there is, and what may have been meant."""
    hint = nearest_hint(pattern, known_names)
    if not hint and known_names:
        shown = ", ".join(repr(name) for name in sorted(known_names)[:5])
        hint = f"; there are {shown}{', …' if len(known_names) > 5 else ''}"
    return f"no {what} is named {pattern!r}{hint}"


def _unknown(statement: Statement, known: Known) -> Iterator[str]:
    """Yield a fault for each condition that fits nothing known."""
    metric, is_about_metrics = statement.metric, statement.target is Target.METRICS
    prefixed = {
        "user:": ("user class", known.users or (ALL,)),
        "tag:": ("tag", known.tags),
        TRANSACTIONS: ("transaction", known.transactions),
        ITERATIONS: ("iteration", known.iterations),
    }
    for condition in statement.selector.conditions:
        what, names = prefixed.get(condition.prefix, ("", (ALL,)))
        if not _is_known(condition, names):
            yield unmatched(what, condition.pattern, names)
        if condition.prefix or statement.selector.is_all:
            continue
        is_request, is_metric = bool(condition.choose(known.requests)), _is_known(condition, known.metrics)
        if metric.kind is CUSTOM and is_request:
            yield takes_time(statement, condition.pattern)
        elif is_about_metrics and not is_metric:
            # Without a unit it may just as well be a misspelt request.
            hint = f"; of a request {metric.name} takes {LATENCY.wanted}" if metric.kind is CUSTOM else ""
            yield f"{unmatched('metric', condition.pattern, known.metrics)}{hint}"
        elif not is_about_metrics and not is_request and not (metric.name == "count" and is_metric):
            yield unmatched("request", condition.pattern, known.requests)


def takes_time(statement: Statement, name: str) -> str:
    """Say that a limit on requests needs a unit of time."""
    return f"{name!r} is a request, whose {statement.metric.name} takes {LATENCY.wanted}"


def _is_known(condition: Condition, globs: Sequence[str]) -> bool:
    return bool(condition.choose(globs)) or any(Condition(glob).choose([condition.pattern]) for glob in globs)


def _content(text: str) -> object:
    """Return what a YAML text says; raises ConfigError for one that says nothing that can be read."""
    where = ""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        problem = str(error.problem)
        if any(sign in problem for sign in COLON_PROBLEMS):
            problem += f"; {QUOTE_HINT}"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # PyYAML lets the latter two escape for dates such as 2001-99-99 and for deep nesting.
        problem = " ".join(str(error).split())
    wanted = f"is not valid YAML{where}"
    raise ConfigError([Fault(f"{wanted}: {problem}", wanted)])


class _Loader(yaml.SafeLoader):
    """Load plain YAML without aliases, by which a short text makes a huge list.

    A key that appears twice is refused too, where PyYAML keeps the last in silence.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem = "aliases are not allowed, and text that begins with * must be in quotes"
            event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs forgot its types
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, count in keys.items():
            if count > 1:
                problem = f"key {_quoted(key)} appears twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _threshold(entry: object) -> Threshold:
    """Return the threshold of one entry; raises ValueError for any other entry."""
    expr: Any = entry
    level: Any = "fail"
    if isinstance(entry, dict):
        for key, value in entry.items():
            if key in LATER:
                raise ValueError(f"{key!r} is not available yet, valid are 'expr' and 'level'")
            if key in KEYS:
                continue
            if len(entry) == 1 and isinstance(key, str) and " " in key:
                statement = f"{key}: {'' if value is None else value}".rstrip().replace("'", "''")
                raise ValueError(_shortened(f"{QUOTE_HINT}: - '{statement}'"))
            hint = nearest_hint(str(key)[:LONGEST_QUOTE], KEYS)
            raise ValueError(f"unknown key {_quoted(key)}, valid are 'expr' and 'level'{hint}")
        expr, level = entry.get("expr"), entry.get("level", "fail")
        if not isinstance(expr, str):
            raise ValueError(f"'expr' must be a statement {EXAMPLE}, got {_quoted(expr)}")  # noqa: TRY004 - a fault of the file, collected with the others
    if not isinstance(expr, str):
        raise ValueError(f"must be a statement {EXAMPLE} or a mapping with 'expr' and 'level'")  # noqa: TRY004 - as above
    if level not in LEVELS:
        raise ValueError(f"level {_quoted(level)} is unknown, valid are 'fail' and 'warn'")
    if len(expr) > MAX_STATEMENT_LENGTH:
        raise ValueError(f"has {len(expr):,} characters, at most {MAX_STATEMENT_LENGTH:,} are allowed")
    return Threshold(parse(expr), level)


def _quoted(entry: object) -> str:
    if isinstance(entry, dict) and isinstance(entry.get("expr"), str):
        entry = entry["expr"]
    try:
        return _shortened(repr(entry))
    except ValueError:  # a whole number, given as 0x…, that has too many digits
        return "a number too long to show"


def _shortened(text: str) -> str:
    text = redact(text)
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"
