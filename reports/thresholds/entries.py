"""One entry of a thresholds file: a statement, or a mapping of a statement and what is to come of it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from plimsoll.redact import redact
from reports.errors import nearest_hint
from reports.thresholds.grammar import parse
from reports.thresholds.selectors import Target
from reports.thresholds.sense import inverted
from reports.thresholds.statement import Measure, Part, Statement
from reports.thresholds.tokens import Cursor, TokenKind

LEVELS = ("fail", "warn")
KEYS = ("expr", "level", "abort", "after", "name", "inverted")
LONGEST_QUOTE = 120
MAX_STATEMENT_LENGTH = 1000
MAX_NAME_LENGTH = 120
QUOTE_HINT = "a statement with ': ' in it must be in quotes"
EXAMPLE = "such as 'p95 of careers.select < 500 ms'"
WATCHED = (
    "valid are percentiles, mean, error_rate, rps, rate and checks, of the steady state or a stage, also in"
    " windows, with a number as the limit"
)
VARIABLE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})?")


@dataclass(frozen=True)
class Threshold:
    """Hold one statement and whether it decides the verdict (`fail`) or only informs (`warn`).

    One that is broken for sure ends the load where `abort` is set, but not in its first `after_s`. `name` is
    what reports call it, "" for the statement itself. A limit that `is_inverted` is so on purpose.
    """

    statement: Statement
    level: Literal["fail", "warn"] = "fail"
    abort: bool = False
    after_s: float = 0.0
    name: str = ""
    is_inverted: bool = False

    @property
    def entry(self) -> str | dict[str, object]:
        """Return the entry of a file that says the same: what came from the environment is in it."""
        expr = self.statement.source.replace("${", "$${")
        more: dict[str, object] = {
            "level": self.level if self.level != "fail" else None,
            "abort": self.abort or None,
            "after": f"{self.after_s:.10g} s" if self.after_s else None,
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
    level, abort, is_inverted = (settings.get(key) for key in ("level", "abort", "inverted"))
    if level not in (None, *LEVELS):
        raise ValueError(f"level {quoted(level)} is unknown, valid are 'fail' and 'warn'")
    for key, value in (("abort", abort), ("inverted", is_inverted)):
        if value is not None and not isinstance(value, bool):
            raise ValueError(f"{key!r} is {quoted(value)}, valid are true and false")
    if abort and level == "warn":
        raise ValueError("a warning cannot abort the run, valid is either 'level: warn' or 'abort: true'")
    statement = _statement(settings["expr"], environment)
    if abort and not is_watched(statement):
        raise ValueError(f"{statement.source.strip()!r} cannot abort a run: {WATCHED}")
    meant = inverted(statement)
    if meant and not is_inverted:
        raise ValueError(
            f"did you mean {meant!r}? A threshold states what must hold; write 'inverted: true' if you mean"
            f" {statement.source.strip()!r}"
        )
    if is_inverted and not meant:
        raise ValueError("the limit is not inverted, valid is the entry without 'inverted'")
    return Threshold(
        statement, level or "fail", bool(abort), _after_s(settings), _name(settings), bool(is_inverted)
    )


def is_watched(statement: Statement) -> bool:
    """Tell whether a limit can be held against the last seconds of a run that goes on."""
    expression = statement.expression
    if not isinstance(expression, Measure) or statement.baseline is not None:
        return False
    metric, is_of_now = expression.metric, expression.scope.part in {Part.STEADY, Part.STAGE}
    is_percentile = metric.level is not None and metric.level < 100
    is_known = is_percentile or metric.figure in {"mean", "error_rate", "rate", "checks", "rps"}
    is_recorded = expression.target not in {Target.SCHEDULE, Target.SERIES}
    return is_of_now and is_known and is_recorded and metric.of is None and metric.satisfied_ms is None


def _after_s(settings: dict[str, Any]) -> float:
    after = settings.get("after")
    if after is None:
        return 0.0
    wanted = "'after' must be a time such as '30 s'"
    if not isinstance(after, str):
        raise ValueError(f"{wanted}, got {quoted(after)}")  # noqa: TRY004 - a fault of the file, as others
    if not settings.get("abort"):
        raise ValueError("'after' is the grace before an abort, valid is with 'abort: true'")
    try:
        cursor = Cursor(after)
        after_s = cursor.time_s("it", min_=0.0)
        if cursor.token.kind is not TokenKind.END:
            raise cursor.token.fault(f"{cursor.token.shown} follows")
    except ValueError as error:
        raise ValueError(f"{wanted}, got {quoted(after)}: {error}") from None
    return after_s


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
