"""Read the thresholds of a run: a YAML list of statements that must hold.

    thresholds:
      - p95 of careers.select < 500 ms
      - {expr: "error_rate < 10%", level: warn}

Everything wrong is reported at once, before any load starts.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from reports.errors import ConfigError
from reports.thresholds.grammar import Statement, parse
from reports.thresholds.nearest import nearest_hint
from reports.thresholds.selector import ITERATIONS

LEVELS = ("fail", "warn")
LATER = ("abort", "after")
KEYS = ("expr", "level")
LONGEST_QUOTE = 120
EXAMPLE = "such as 'p95 of careers.select < 500 ms'"


@dataclass(frozen=True)
class Threshold:
    """Hold one statement and whether it decides the verdict (`fail`) or only informs (`warn`)."""

    statement: Statement
    level: Literal["fail", "warn"] = "fail"


def read_thresholds(path: Path) -> list[Threshold]:
    """Return the thresholds of a YAML file.

    Raises ConfigError with every fault, also when the file cannot be read.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"is not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    return parse_thresholds(text)


def parse_thresholds(text: str) -> list[Threshold]:
    """Return the thresholds of a YAML text, in its order.

    Raises ConfigError with every fault, one line each.
    """
    entries, faults = _entries(_load(text))
    thresholds: list[Threshold] = []
    for number, entry in enumerate(entries, start=1):
        try:
            threshold = _threshold(entry)
            if threshold.statement in [earlier.statement for earlier in thresholds]:
                raise ValueError("appears twice, valid is once")  # noqa: TRY301 - one place names the entry
            thresholds.append(threshold)
        except ValueError as error:
            faults.append(f"threshold {number} {_quoted(entry)}: {error}")
    if faults:
        raise ConfigError(faults)
    return thresholds


def validate(thresholds: Sequence[Threshold], known_names: Sequence[str]) -> list[str]:
    """Return a fault for every selector that matches none of the request names, with the nearest names."""
    return [
        f"threshold {statement.source!r}: {unmatched(statement, known_names)}"
        for statement in (threshold.statement for threshold in thresholds)
        # Which tasks a user has is not known here.
        if not statement.selector.of_iterations
        and not statement.selector.choose(known_names)
        and not statement.selector.is_all
    ]


def limits_ms(thresholds: Sequence[Threshold]) -> list[float]:
    """Return the latencies at and above which the thresholds want requests counted, ascending."""
    stated = {t.statement.edge for t in thresholds if t.statement.metric.is_latency}
    return sorted(stated)


def unmatched(statement: Statement, known_names: Sequence[str]) -> str:
    """Say that a selector matches no name, what there is, and what may have been meant."""
    selector = statement.selector
    what, pattern = "iteration" if selector.of_iterations else "request", selector.pattern
    pattern = pattern.removeprefix(ITERATIONS)
    hint = nearest_hint(pattern, known_names)
    if not hint and known_names:
        shown = ", ".join(repr(name) for name in sorted(known_names)[:5])
        hint = f"; there are {shown}{', …' if len(known_names) > 5 else ''}"
    return f"no {what} is named {pattern!r}{hint}"


class _Loader(yaml.SafeLoader):
    """Load plain YAML, but refuse a key that appears twice, where PyYAML keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} appears twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


def _load(text: str) -> object:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError([f"is not valid YAML{where}: {error.problem}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"is not valid YAML: {' '.join(str(error).split())}"]) from error
    except (ValueError, RecursionError) as error:
        # PyYAML lets these escape for dates such as 2001-99-99 and for deep nesting.
        raise ConfigError([f"is not valid YAML: {error}"]) from error


def _entries(content: object) -> tuple[list[object], list[str]]:
    if not isinstance(content, dict):
        raise ConfigError(
            [f"must be a mapping with the key 'thresholds', got {type(content).__name__} {_quoted(content)}"]
        )
    faults = [f"unknown key {key!r}, valid is only 'thresholds'" for key in content if key != "thresholds"]
    entries = content.get("thresholds")
    if not isinstance(entries, list) or not entries:
        got = "nothing" if "thresholds" not in content else _quoted(entries)
        faults.append(f"'thresholds' must be a list of at least one statement {EXAMPLE}, got {got}")
        raise ConfigError(faults)
    return entries, faults


def _threshold(entry: object) -> Threshold:
    if isinstance(entry, str):
        return Threshold(parse(entry))
    if not isinstance(entry, dict):
        raise ValueError(f"must be a statement {EXAMPLE} or a mapping with 'expr' and 'level'")  # noqa: TRY004 - a fault of the file, collected with the others
    _check_keys(entry)
    expr, level = entry.get("expr"), entry.get("level", "fail")
    if not isinstance(expr, str):
        raise ValueError(f"'expr' must be a statement {EXAMPLE}, got {expr!r}")  # noqa: TRY004 - as above
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is unknown, valid are 'fail' and 'warn'")
    return Threshold(parse(expr), level)


def _check_keys(entry: dict[object, object]) -> None:
    for key in entry:
        if key in LATER:
            raise ValueError(f"{key!r} is not available yet, valid are 'expr' and 'level'")
        if key not in KEYS:
            hint = nearest_hint(str(key), KEYS)
            raise ValueError(f"unknown key {key!r}, valid are 'expr' and 'level'{hint}")


def _quoted(entry: object) -> str:
    if isinstance(entry, dict) and isinstance(entry.get("expr"), str):
        entry = entry["expr"]
    text = repr(entry)
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"
