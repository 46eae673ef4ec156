"""Write statements of the thresholds language: the one place that knows how they are spelt.

A tool's module turns each of its thresholds into an `Item`; where our language has no equal it raises
`NotCarriedError`, with the reason.
"""

import math
import re
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import yaml

from plimsoll.redact import redact, redact_name
from reports.thresholds.selectors import PREFIXES

INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
"""What holds where the operator does not."""
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
"""The operator when both sides change places, or when both change their sign."""
UNITS = {
    **dict.fromkeys(("count", "failures", "dropped_iterations"), ""),
    **dict.fromkeys(("error_rate", "rate", "checks"), "%"),
    "rps": "/s",
    "bytes": "B",
    "bytes_per_s": "B/s",
}
"""Units of limits by metric; all others are times."""
COUNTS = {"count", "failures", "dropped_iterations", "bytes"}
BARE = re.compile(r"[A-Za-z_][\w.:*?]*")
RESERVED = {"and", "or", "not", "of", "during", "over", "each", "worst", "after", "to", "between", "baseline"}
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
MS_PER_S = 1000
DURATION_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3, "d": 86_400e3}
DURATION = re.compile(rf"(\d+(?:\.\d*)?|\.\d+)({'|'.join(DURATION_MS)}|)")
SHORTENED = reprlib.Repr()
SHORTENED.maxstring = SHORTENED.maxother = 120


class NotCarriedError(ValueError):
    """Say why a threshold of another tool, or a part of it, has no equal here."""


@dataclass(frozen=True)
class Figure:
    """Hold what stands left of the operator; `unit` is that of its limit.

    One that is compound stands in brackets within a larger expression.
    """

    text: str
    unit: str
    is_count: bool = False
    is_compound: bool = False

    @property
    def operand(self) -> str:
        """Return the text as it stands within a larger expression."""
        return f"({self.text})" if self.is_compound else self.text


@dataclass(frozen=True)
class Entry:
    """Hold one entry of a thresholds file; `abort` says whether it ends the run, after `after_ms` of load."""

    statement: str
    level: str = "fail"
    abort: bool = False
    after_ms: float = 0.0
    name: str = ""
    is_inverted: bool = False

    @property
    def yaml(self) -> str:
        """Return the entry as one line of YAML."""
        content: str | dict[str, object] = self.statement
        more = {
            "level": self.level if self.level != "fail" else None,
            "abort": self.abort or None,
            "after": f"{plain(self.after_ms / MS_PER_S)} s" if self.abort and self.after_ms else None,
            "name": redact(self.name) or None,
            "inverted": self.is_inverted or None,
        }
        if any(more.values()):
            content = {"expr": self.statement} | {key: value for key, value in more.items() if value}
        dumped = yaml.safe_dump(
            content, allow_unicode=True, default_flow_style=True, sort_keys=False, width=math.inf
        )
        return dumped.removesuffix("\n").removesuffix("\n...")


@dataclass(frozen=True)
class Item:
    """Hold what became of one threshold of another tool.

    `origin` is the threshold as that tool has it, `differs` what is asked otherwise here, `lost` what was not
    carried and why.
    """

    origin: str
    entries: tuple[Entry, ...] = ()
    differs: str = ""
    lost: tuple[str, ...] = ()


def write(header: Iterable[str], items: Iterable[Item]) -> str:
    """Return a thresholds file in which comments say where each statement comes from and what is missing."""
    lines = [*(f"# {_comment(line)}" for line in header), "thresholds:"]
    for item in items:
        about = f"{item.origin}; {item.differs}" if item.differs else item.origin
        lines.append(f"  # {_comment(about)}")
        lines += [f"  # not carried: {_comment(reason)}" for reason in item.lost]
        lines += [f"  - {entry.yaml}" for entry in item.entries]
    return "".join(f"{line}\n" for line in lines)


def _comment(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in redact(text))
    return " ".join(printable.split())


def figure(
    metric: str, conditions: Sequence[str] = (), scope: str = "", *, unit: str | None = None
) -> Figure:
    """Return the figure of a metric; `unit` is given for metrics of the journey's own.

    Raises NotCarriedError for conditions that cannot be written.
    """
    of = f" of {' and '.join(conditions)}" if conditions else ""
    during = f" {scope}" if scope else ""
    return Figure(
        f"{metric}{of}{during}", UNITS.get(metric, "ms") if unit is None else unit, metric in COUNTS
    )


def successes(conditions: Sequence[str] = ()) -> Figure:
    """Return the number of requests that succeeded."""
    count, failures = figure("count", conditions), figure("failures", conditions)
    return Figure(f"{count.text} - {failures.text}", "", is_count=True, is_compound=True)


def condition(text: str, prefix: str = "") -> str:
    """Return a condition of a selector: the name of a request, or what else the prefix says.

    Raises NotCarriedError for names that the language cannot write.
    """
    if not text or (not prefix and text.startswith(tuple(PREFIXES))):
        raise NotCarriedError(f"the name {text!r} cannot be written in a selector")
    written = prefix + redact_name(text)
    if BARE.fullmatch(written) and written not in RESERVED:
        return written
    quote = next((quote for quote in "\"'" if quote not in written), None)
    if quote is None:
        raise NotCarriedError(f"the name {text!r} has both kinds of quotes")
    return f"{quote}{written}{quote}"


def statement(of: Figure, operator: str, limit: float) -> str:
    """Return the statement that a figure keeps to a limit in its unit.

    Raises NotCarriedError for limits below zero, and for an equality that no interval can decide.
    """
    if operator in {"==", "!="} and not of.is_compound:
        # No figure is below zero and no share above 100 %: what is equal to such an end is at or beyond it.
        if limit == 0:
            operator = "<=" if operator == "==" else ">"
        elif of.unit == "%" and limit == 100:
            operator = ">=" if operator == "==" else "<"
    written = amount(limit, of.unit)
    if operator == "!=" or (operator == "==" and not of.is_count):
        raise NotCarriedError(
            f"'{of.text} {operator} {written}' cannot be judged by an interval, valid is < or > with a limit"
        )
    return f"{of.text} {operator} {written}"


def amount(number: float, unit: str) -> str:
    """Return a number with its unit; raises NotCarriedError where it is negative or not finite."""
    if unit == "ms":
        return time(number)
    return f"{plain(number)}{'' if unit in {'', '%', '/s'} else ' '}{unit}"


def time(number_ms: float) -> str:
    """Return a time in whole seconds, or else in ms."""
    whole_s = number_ms >= MS_PER_S and number_ms % MS_PER_S == 0
    return f"{plain(number_ms / MS_PER_S)} s" if whole_s else f"{plain(number_ms)} ms"


def plain(number: float) -> str:
    """Return a number without exponent, to twelve digits: 0.07 * 100 is 7."""
    if not math.isfinite(number) or number < 0:
        raise NotCarriedError(f"the limit is {number!r}, valid is a finite number that is not negative")
    return format(Decimal(f"{number:.12g}"), "f") if number else "0"


def percentile(level: float) -> str:
    """Return the name of a percentile; the 0th is the least and the 100th the greatest value."""
    if not 0 <= level <= 100:  # also not a number
        raise NotCarriedError(f"the percentile is {level!r}, valid is 0 to 100")
    return {0.0: "min", 100.0: "max"}.get(level) or f"p{plain(level)}"


def number(value: object) -> float:
    """Return a number, also one that is written as text; raises NotCarriedError for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and NUMBER.fullmatch(value.strip())):
        try:
            return float(value)  # type: ignore[arg-type] # a number, or text that spells one
        except OverflowError:
            pass
    raise NotCarriedError(f"the limit is {shown(value)}, where a number is wanted")


def duration_ms(value: object, bare_ms: float) -> float:
    """Return the ms of a duration such as 1m30s; a bare number has the unit of *bare_ms*.

    Raises NotCarriedError for anything else.
    """
    text = text_of(value).replace(" ", "").lower()
    parts = DURATION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise NotCarriedError(f"the time is {shown(value)}, where one such as '1m30s' is wanted")
    return sum(float(part) * DURATION_MS.get(unit, bare_ms) for part, unit in parts)


def text_of(value: object) -> str:
    """Return a text as it is, a finite number without exponent, and of anything else what `shown` shows."""
    if isinstance(value, str):
        return value
    try:
        return plain(number(value))
    except NotCarriedError:
        return shown(value)


def shown(value: object) -> str:
    """Return what a file holds, shortened."""
    try:
        return SHORTENED.repr(value)
    except ValueError:  # a whole number with too many digits
        return "a number too long to show"
