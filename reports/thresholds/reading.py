"""Read the thresholds of a run: YAML lists of statements that must hold.

    thresholds:
      - p95 of careers.select < 500 ms
      - {expr: "error_rate < 10%", level: warn}

Everything wrong is reported at once, before any load starts, and soon: how much is read is limited.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from reports.errors import ConfigError, Fault
from reports.files import read_regular
from reports.thresholds.entries import EXAMPLE, QUOTE_HINT, Threshold, quoted, threshold_of
from reports.thresholds.known import Known, validate
from reports.thresholds.metrics import CUSTOM, LATENCY
from reports.thresholds.statement import Statement

MAX_BYTES = 64 * 1024
MAX_STATEMENTS = 1000
COLON_PROBLEMS = ("mapping values are not allowed", "but got ':'")


def read_thresholds(paths: Path | Sequence[Path], known: Known | None = None) -> list[Threshold]:
    """Return the thresholds of one or several YAML files, in their order.

    Raises ConfigError with every fault, also when a file cannot be read, is not a regular file or has more
    than MAX_BYTES, and for a statement that two files have; with *known* also for what matches nothing known.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    faults: list[Fault | str] = []
    found: dict[Statement, tuple[Threshold, Path]] = {}
    for path in files:
        where = f"{path}: " if len(files) > 1 else ""
        try:
            read = parse_thresholds(_text(path), known)
        except ConfigError as error:
            told = zip(error.faults, error.unquoted, strict=True)
            faults += [Fault(f"{where}{text}", f"{where}{unquoted}") for text, unquoted in told]
            continue
        for threshold in read:
            first = found.setdefault(threshold.statement, (threshold, path))[1]
            if first is not path:
                twice = f"appears twice, in {str(first)!r} and {str(path)!r}; valid is once"
                source = quoted(threshold.statement.source)
                faults.append(Fault(f"threshold {source} {twice}", f"a threshold {twice}"))
    if faults:
        raise ConfigError(faults)
    return [threshold for threshold, _ in found.values()]


def _text(path: Path) -> str:
    try:
        return read_regular(path, MAX_BYTES).decode()
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"is not UTF-8 text: {error.reason} at byte {error.start}"]) from error


def parse_thresholds(text: str, known: Known | None = None) -> list[Threshold]:
    """Return the thresholds of a YAML text, in its order.

    Raises ConfigError with every fault, one line each, as `read_thresholds` does.
    """
    content = load_yaml(text, _PlainLoader)
    if not isinstance(content, dict):
        wanted = "must be a mapping with the key 'thresholds'"
        raise ConfigError([Fault(f"{wanted}, got {type(content).__name__} {quoted(content)}", wanted)])
    faults: list[Fault | str] = [
        Fault(f"unknown key {quoted(key)}, valid is only 'thresholds'", "has keys other than 'thresholds'")
        for key in content
        if key != "thresholds"
    ]
    entries = content.get("thresholds")
    if not isinstance(entries, list) or not entries:
        wanted = f"'thresholds' must be a list of at least one statement {EXAMPLE}"
        got = "nothing" if "thresholds" not in content else quoted(entries)
        raise ConfigError([*faults, Fault(f"{wanted}, got {got}", wanted)])
    if len(entries) > MAX_STATEMENTS:
        raise ConfigError([f"has {len(entries):,} statements, at most {MAX_STATEMENTS:,} are allowed"])
    thresholds: dict[Statement, Threshold] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            threshold = threshold_of(entry)
            if threshold.statement in thresholds:
                raise ValueError("appears twice, valid is once")  # noqa: TRY301 - one place names the entry
            thresholds[threshold.statement] = threshold
        except ValueError as error:
            unquoted = f"threshold {number} is not valid, or appears twice; valid is a statement {EXAMPLE}"
            faults.append(Fault(f"threshold {number} {quoted(entry)}: {error}", unquoted))
    if known is not None:
        faults += validate(list(thresholds.values()), known)
    if faults:
        raise ConfigError(faults)
    return list(thresholds.values())


def as_yaml(thresholds: Sequence[Threshold]) -> str:
    """Return a thresholds file that says the same, with secrets masked and without comments."""
    entries = [threshold.entry for threshold in thresholds]
    return yaml.safe_dump({"thresholds": entries}, allow_unicode=True, sort_keys=False, width=math.inf)


def limits_ms(thresholds: Sequence[Threshold]) -> list[float]:
    """Return the latencies at and above which the thresholds want requests counted, ascending.

    Among them are limits of gauges and trends, as the recorder has their values, and the two times of apdex.
    """
    limits = set[float]()
    for statement in (threshold.statement for threshold in thresholds):
        if statement.metric.kind in {LATENCY, CUSTOM} and statement.baseline is None:
            limits |= {side.recorded.first_value_outside for side in statement.sides}
        for measure in statement.measures:
            if (satisfied_ms := measure.metric.satisfied_ms) is not None:
                limits |= {math.nextafter(satisfied_ms * factor, math.inf) for factor in (1, 4)}
    return sorted(limits)


class UniqueKeyLoader(yaml.SafeLoader):
    """Load YAML, but refuse a key that appears twice, of which PyYAML keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping; raises ConstructorError where a key appears twice."""
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, count in keys.items():
            if count > 1:
                problem = f"key {quoted(key)} appears twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str, loader: type[UniqueKeyLoader] = UniqueKeyLoader) -> object:
    """Return what a YAML text says; raises ConfigError for one that says nothing that can be read."""
    where = ""
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - it is a SafeLoader
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


class _PlainLoader(UniqueKeyLoader):
    """Load YAML without aliases, by which a short text makes a huge list."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem = "aliases are not allowed, and text that begins with * must be in quotes"
            event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs forgot its types
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)
