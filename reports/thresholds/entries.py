"""One entry of a thresholds file: a statement, or a mapping of a statement and what is to come of it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from plimsoll.redact import redact
from reports.errors import nearest_hint
from reports.thresholds.grammar import parse
from reports.thresholds.sense import inverted
from reports.thresholds.statement import Statement

LEVELS = ("fail", "warn")
KEYS = ("expr", "level", "name", "inverted")
LATER = ("abort", "after")
LONGEST_QUOTE = 120
MAX_STATEMENT_LENGTH = 1000
MAX_NAME_LENGTH = 120
QUOTE_HINT = "a statement with ': ' in it must be in quotes"
EXAMPLE = "such as 'p95 of careers.select < 500 ms'"
VARIABLE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})?")


@dataclass(frozen=True)
class Threshold:
    """Hold one statement and whether it decides the verdict (`fail`) or only informs (`warn`).

    `name` is what reports call it, "" for the statement itself. A limit that `is_inverted` is so on purpose.
    """

    statement: Statement
    level: Literal["fail", "warn"] = "fail"
    name: str = ""
    is_inverted: bool = False

    @property
    def entry(self) -> str | dict[str, object]:
        """Return the entry of a file that says the same: what came from the environment is in it."""
        expr = self.statement.source.replace("${", "$${")
        more: dict[str, object] = {
            "level": self.level if self.level != "fail" else None,
            "name": self.name or None,
            "inverted": self.is_inverted or None,
        }
        settings = {key: value for key, value in more.items() if value is not None}
        return {"expr": expr, **settings} if settings else expr


def threshold_of(entry: object, environment: Mapping[str, str] = os.environ) -> Threshold:
    """Return the threshold of an entry; ${NAME} and ${NAME:-default} in it are from *environment*.

    Raises ValueError for any other entry.
    """
    settings = _settings(entry)
    level, is_inverted = settings.get("level"), settings.get("inverted")
    if level not in (None, *LEVELS):
        raise ValueError(f"level {quoted(level)} is unknown, valid are 'fail' and 'warn'")
    if is_inverted is not None and not isinstance(is_inverted, bool):
        raise ValueError(f"'inverted' is {quoted(is_inverted)}, valid are true and false")
    statement = _statement(settings["expr"], environment)
    meant = inverted(statement)
    if meant and not is_inverted:
        raise ValueError(
            f"did you mean {meant!r}? A threshold states what must hold; write 'inverted: true' if you mean"
            f" {statement.source.strip()!r}"
        )
    if is_inverted and not meant:
        raise ValueError("the limit is not inverted, valid is the entry without 'inverted'")
    return Threshold(statement, level or "fail", _name(settings), bool(is_inverted))


def _settings(entry: object) -> dict[str, Any]:
    """Return the entry as a mapping with a text as `expr`."""
    wanted = f"must be a statement {EXAMPLE}"
    if isinstance(entry, str):
        return {"expr": entry}
    if not isinstance(entry, dict):
        raise ValueError(f"{wanted} or a mapping with 'expr' and any of {_listed(KEYS[1:])}")  # noqa: TRY004 - a fault of the file, collected with the others
    for key, value in entry.items():
        if key in KEYS:
            continue
        if key in LATER:
            raise ValueError(f"{key!r} is not available yet, valid are {_listed(KEYS)}")
        if len(entry) == 1 and isinstance(key, str) and " " in key:
            statement = f"{key}: {'' if value is None else value}".rstrip().replace("'", "''")
            raise ValueError(shortened(f"{QUOTE_HINT}: - '{statement}'"))
        hint = nearest_hint(str(key)[:LONGEST_QUOTE], KEYS)
        raise ValueError(f"unknown key {quoted(key)}, valid are {_listed(KEYS)}{hint}")
    if not isinstance(entry.get("expr"), str):
        raise ValueError(f"'expr' {wanted}, got {quoted(entry.get('expr'))}")  # noqa: TRY004 - as above
    return entry


def quoted(entry: object) -> str:
    """Return what stands in a file, shortened and without secrets."""
    if isinstance(entry, dict) and isinstance(entry.get("expr"), str):
        entry = entry["expr"]
    try:
        return shortened(repr(entry))
    except ValueError:  # a whole number, given as 0x…, that has too many digits
        return "a number too long to show"


def shortened(text: str) -> str:
    """Return a text of at most LONGEST_QUOTE characters, without secrets."""
    text = redact(text)
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def _statement(expr: str, environment: Mapping[str, str]) -> Statement:
    """Return the statement, in which variables have their values; $${ is ${ itself."""

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise ValueError(
                f"column {match.start() + 1}: '${{' begins no variable, valid are '${{NAME}}',"
                " '${NAME:-default}' and '$${' for the text itself"
            )
        found = environment.get(name) or default
        if found is None:
            state = "empty" if name in environment else "not set"
            raise ValueError(
                f"column {match.start() + 1}: the environment variable {name!r} is {state}; set it, or give a"
                f" default: '${{{name}:-500 ms}}'"
            )
        return found

    spelled = VARIABLE.sub(value, expr)
    if max(len(spelled), len(expr)) > MAX_STATEMENT_LENGTH:
        longest = max(len(spelled), len(expr))
        raise ValueError(f"has {longest:,} characters, at most {MAX_STATEMENT_LENGTH:,} are allowed")
    try:
        return parse(spelled)
    except ValueError as error:
        if spelled == expr:
            raise
        raise ValueError(f"read as {quoted(spelled)}: {error}") from None


def _name(settings: dict[str, Any]) -> str:
    name = settings.get("name")
    if name is None:
        return ""
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"'name' is {quoted(name)}, valid is one line of up to {MAX_NAME_LENGTH} characters")
    return redact(name.strip())


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(map(repr, words[:-1]))} and {words[-1]!r}"
