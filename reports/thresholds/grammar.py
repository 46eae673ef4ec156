"""Parse one threshold statement, such as `p95 of careers.select < 500 ms`.

    statement  = metric [ "of" selector ] operator limit
    metric     = [ "response_" ] ( "p" number | "mean" | "max" ) | "min"
               | "rps" | "count" | "failures" | "error_rate" | "dropped" | "late"
    selector   = word | quoted               request name or glob with * and ?, or that of an iteration
                                             after "iteration:"; not with dropped and late
    operator   = "<" | "<=" | ">" | ">="
    limit      = number [ unit ]             the space between them is free
    unit       = "us" | "ms" | "s" | "min" | "%" | "/s"
    quoted     = '"' { any but '"' } '"' | "'" { any but "'" } "'"
    word       = one or more characters other than space, quotes and < > = !

Every fault is a ValueError whose text says what is wrong and what would be valid; `thresholds` quotes the
statement before it.
"""

import math
import re
from dataclasses import dataclass, field

from reports.thresholds.metric import KINDS, RESPONSE, SYNONYMS, Kind, Metric
from reports.thresholds.nearest import nearest_hint
from reports.thresholds.selector import ALL, Selector
from reports.thresholds.tokens import Token, TokenKind, tokenize

UPPER_LIMITS = ("<", "<=")
OPERATORS = (*UPPER_LIMITS, ">", ">=")
METRIC_WORDS = f"a percentile such as p95 or {RESPONSE}p95, " + ", ".join(KINDS)
NUMBER = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)(?P<unit>.*)", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """Hold a parsed statement; `limit` is in the unit of the metric's kind, `source` as the user wrote it."""

    metric: Metric
    selector: Selector
    operator: str
    limit: float
    source: str = field(compare=False)

    @property
    def edge(self) -> float:
        """Return the least value beyond the limit: the limit itself for < and >=, else the next number."""
        return self.limit if self.operator in {"<", ">="} else math.nextafter(self.limit, math.inf)


def parse(source: str) -> Statement:
    """Return the statement that `source` spells.

    Raises ValueError saying what is wrong and what would be valid.
    """
    parser = _Parser(tokenize(source))
    metric = parser.metric()
    selector = parser.selector(metric)
    operator = parser.operator(metric)
    metric, limit = parser.limit(metric)
    parser.end()
    return Statement(metric, selector, operator, limit, source)


class _Parser:
    """Walk the tokens once, one method per rule of the grammar."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = iter(tokens)
        self.token = next(self.tokens)

    def take(self) -> Token:
        taken = self.token
        self.token = next(self.tokens, taken)
        return taken

    def metric(self) -> Metric:
        token = self.take()
        if token.kind is not TokenKind.WORD:
            raise ValueError(f"starts with {_shown(token)}, where a metric is wanted: {METRIC_WORDS}")
        if percentile := re.fullmatch(rf"(?:{RESPONSE})?p(\d+(?:\.\d+)?)", token.text):
            return _percentile(token.text, float(percentile[1]))
        if token.text not in KINDS:
            raise ValueError(f"unknown metric {token.text!r}, valid are {METRIC_WORDS}{_hint(token.text)}")
        return Metric(token.text)

    def selector(self, metric: Metric) -> Selector:
        if self.token != Token(TokenKind.WORD, "of"):
            return Selector(ALL)
        if metric.is_of_schedule:
            raise ValueError(
                f"{metric.name!r} is about the whole run, valid is '{metric.name} < 1%' without 'of'"
            )
        self.take()
        token = self.take()
        if token.kind not in {TokenKind.WORD, TokenKind.QUOTED} or not token.text:
            raise ValueError(f"'of' is followed by {_shown(token)}, where a request name or glob is wanted")
        return Selector(token.text)

    def operator(self, metric: Metric) -> str:
        token = self.take()
        if token.kind is not TokenKind.OPERATOR:
            raise ValueError(
                f"{_shown(token)} stands where one of {' '.join(OPERATORS)} is wanted; before it only"
                f" '{metric.name} of NAME' is known, with a NAME that has spaces in quotes"
            )
        if token.text not in OPERATORS:
            raise ValueError(f"unknown operator {token.text!r}, valid are {' '.join(OPERATORS)}")
        return token.text

    def limit(self, metric: Metric) -> tuple[Metric, float]:
        token = self.take()
        match = NUMBER.fullmatch(token.text) if token.kind is TokenKind.WORD else None
        if match is None:
            raise ValueError(
                f"the limit is {_shown(token)}, where a number that is not negative is wanted,"
                f" here {metric.kind.wanted}"
            )
        unit = match["unit"]
        if not unit and self.token.kind is TokenKind.WORD:
            unit = self.take().text
        stated = metric.stated_in(unit)
        return stated, _in_unit_of(stated, float(match["number"]), unit)

    def end(self) -> None:
        if self.token.kind is not TokenKind.END:
            raise ValueError(f"{_shown(self.token)} follows the limit, where the statement should end")


def _percentile(name: str, level: float) -> Metric:
    if not 0 < level <= 100:
        raise ValueError(f"percentile {name!r} is out of range, valid are p0.1 to p100, such as p95 or p99.9")
    return Metric(name, level)


def _in_unit_of(metric: Metric, number: float, unit: str) -> float:
    kind: Kind = metric.kind
    if unit not in kind.factors:
        problem = f"unit {unit!r} does not fit {metric.name}" if unit else "the limit has no unit"
        raise ValueError(f"{problem}: {metric.name} takes {kind.wanted}{nearest_hint(unit, kind.factors)}")
    limit = number * kind.factors[unit]
    if not math.isfinite(limit):
        raise ValueError(f"the limit {number!r} is too large, valid is any finite number")
    if limit > kind.most:
        most = f"{kind.most:g}{kind.unit}"
        raise ValueError(f"the limit {number:g}{unit} can never be met or broken, valid is 0{unit} to {most}")
    return limit


def _shown(token: Token) -> str:
    return "nothing" if token.kind is TokenKind.END else repr(token.text)


def _hint(word: str) -> str:
    if word.lower() in SYNONYMS:
        return f"; here it is called {SYNONYMS[word.lower()]!r}"
    return nearest_hint(word, [*KINDS, "p50", "p90", "p95", "p99", "p99.9"])
