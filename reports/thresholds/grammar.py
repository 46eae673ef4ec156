"""Parse one threshold statement, such as `p95 of careers.select during hold < 500 ms`.

    statement  = expression ( operator limit | "==" limit "±" offset | "between" amount "and" amount )
    expression = product { ( "+" | "-" ) product }          signs stand between spaces
    product    = factor { ( "*" | "/" ) factor }
    factor     = amount | measure | "(" expression ")"
    measure    = metric [ "of" selector ] [ scope ]
               | statistic "of" series [ scope ]
               | ( "degradation" | "slope" ) "of" ( metric [ "of" selector ] | series ) [ part ]
               | "recovery" [ "of" selector ] "after" name
    metric     = [ "corrected_" | "cumulated_" ] statistic | "min" | "stdev" | "variation" | "rps" | "count"
               | "failures" | "error_rate" | "bytes" | "bytes_per_s" | "apdex(" time ")" | "rate" | "checks"
               | "dropped_iterations" | "late_iterations"
    statistic  = "p" number | "mean" | "max"                 of a series also "min"
    series     = ( "generator." | "service." | "postgres." ) word      those in `metrics.SERIES`
    selector   = terms { "or" terms }        not with dropped_iterations and late_iterations
    terms      = [ "not" ] term { "and" [ "not" ] term }
    term       = name                        name or glob with * and ? of a request or of a journey's metric;
                                             of what else after "iteration:", "transaction:", "type:", "tag:"
                                             or "user:"
    scope      = [ part ] [ window ]
    part       = "during" ( "steady" | name ) | "over" ( ( "first" | "last" ) time | time "to" time )
    window     = "each" ( "second" | "minute" | "hour" | time ) | "worst" time
    operator   = "<" | "<=" | ">" | ">=" | "==" | "!="       the last two of counts only
    limit      = amount | "baseline" [ quoted ] [ ( "+" | "-" ) offset ]
    offset     = number ( "%" | "pp" | unit )                "%" of the limit, "pp" percentage points
    amount     = number [ unit ]             the space between them is free
    time       = number ( "ms" | "s" | "min" | "h" )
    unit       = "us" | "ms" | "s" | "min" | "h" | "%" | "/s" | "B" | "KB" | "MB" | "GB" | "B/s" | "KB/s"
               | "MB/s" | "GB/s" | of a slope any of them and "/min" or "/h"
    name       = word | quoted
    quoted     = '"' { any but '"' } '"' | "'" { any but "'" } "'"
    word       = one or more characters other than space, quotes and < > = !

Every fault is a ValueError whose text names the column, what is wrong and what would be valid; `reading`
quotes the statement before it.
"""

import re

from plimsoll.redact import redact_name
from reports.errors import nearest_hint
from reports.thresholds.limits import UnitError, read_limit
from reports.thresholds.measures import METRIC_WORDS, Measures
from reports.thresholds.metrics import (
    BYTE_RATE,
    BYTES,
    COUNT,
    DURATION,
    LATENCY,
    NUMBER,
    RATE,
    RATIO,
    STARTS,
    Kind,
    combined,
)
from reports.thresholds.selectors import Condition
from reports.thresholds.sense import refuse_foregone
from reports.thresholds.statement import Expression, Number, Operation, Statement, measures_of
from reports.thresholds.tokens import NUMBER as NUMBER_TEXT
from reports.thresholds.tokens import TOKEN, Amount, Cursor, Token, TokenKind

CONSTANTS = [NUMBER, LATENCY, DURATION, RATIO, RATE, BYTES, BYTE_RATE]
"""What a number of an expression may be, by its unit."""
MAX_DEPTH = 20


def parse(source: str) -> Statement:
    """Return the statement that `source` spells.

    Secrets in its names are masked as the recorder masks them: the run has the masked names only.

    Raises ValueError saying at which column what is wrong and what would be valid.
    """

    def masked(token: re.Match[str]) -> str:
        name = Condition(token[token.lastgroup or 0]).pattern
        return token[0].replace(name, redact_name(name))

    source = TOKEN.sub(masked, source)
    try:
        return _statement(source, own_metrics=False)
    except UnitError as error:
        try:
            # A limit without a unit of time is on the journey's own metrics.
            return _statement(source, own_metrics=True)
        except UnitError:
            raise error from None


def _statement(source: str, *, own_metrics: bool) -> Statement:
    cursor = Cursor(source)
    first = cursor.token
    expression = _Parser(cursor, own_metrics=own_metrics).expression()
    operator = cursor.token
    subject = source[: operator.column - 1]
    statement = read_limit(cursor, Statement(expression, operator.text, 0.0, source, subject=subject))
    if not statement.measures:
        raise first.fault("it has numbers only; valid is a metric in it, such as 'p95 < 500 ms'")
    if cursor.token.kind is not TokenKind.END:
        raise cursor.token.fault(f"{cursor.token.shown} follows the limit, where the statement should end")
    refuse_foregone(statement, operator)
    return statement


class _Parser:
    """Read the expression of a statement, one method per rule of the grammar."""

    def __init__(self, cursor: Cursor, *, own_metrics: bool) -> None:
        self.cursor = cursor
        self.measures = Measures(cursor, own_metrics=own_metrics)

    def expression(self) -> Expression:
        """Return the expression that comes next; raises ValueError where there is none."""
        first = self.cursor.token
        expression = _expression(self._sum("starts with"))
        windowed = {each.scope for each in measures_of(expression) if each.scope.window_s is not None}
        if len(windowed) > 1:
            raise first.fault("it has figures of different windows; valid is the same scope for all of them")
        return expression

    def _sum(self, before: str) -> Expression | Amount:
        found = self._product(before)
        while sign := self.cursor.takes("+", "-"):
            found = _combined(found, sign, self._product(f"{sign.text!r} is followed by"))
        return found

    def _product(self, before: str) -> Expression | Amount:
        found = self._factor(before)
        while sign := self.cursor.takes("*", "/"):
            found = _combined(found, sign, self._factor(f"{sign.text!r} is followed by"))
        return found

    def _factor(self, before: str) -> Expression | Amount:
        token = self.cursor.token
        if not token.word:
            raise token.fault(f"{before} {token.shown}, where a metric is wanted: {METRIC_WORDS}")
        if token.word.startswith("("):
            self.cursor.split(1)
            self.cursor.take()
            self.cursor.depth += 1
            if self.cursor.depth > MAX_DEPTH:
                raise token.fault(f"more than {MAX_DEPTH} brackets are open")
            found = self._sum("'(' is followed by")
            if self.cursor.takes(")") is None:
                raise self.cursor.token.fault(
                    f"{self.cursor.token.shown} stands where ')' is wanted, for '(' in column {token.column}"
                )
            self.cursor.depth -= 1
            return found
        is_number = NUMBER_TEXT.fullmatch(token.word)
        return self.cursor.amount("it", "a number") if is_number else self.measures.measure()


def _combined(left: Expression | Amount, sign: Token, right: Expression | Amount) -> Operation:
    """Return an operation; a number that is added has the unit of what it is added to, a factor has its own.

    Raises ValueError where the units do not go together.
    """
    is_sum = sign.text in {"+", "-"}
    kind_left = None if isinstance(left, Amount) or not is_sum else left.kind
    kind_right = None if isinstance(right, Amount) or not is_sum else right.kind
    left, right = _expression(left, kind_right), _expression(right, kind_left)
    try:
        kind = combined(left.kind, sign.text, right.kind)
    except ValueError as error:
        raise sign.fault(str(error)) from None
    if sign.text == "/" and isinstance(right, Number) and right.value == 0:
        raise sign.fault("it divides by 0")
    return Operation(left, sign.text, right, kind)


def _expression(found: Expression | Amount, kind: Kind | None = None) -> Expression:
    """Return an expression as it is, and of an amount the number in the unit of a kind."""
    if not isinstance(found, Amount):
        return found
    kinds = [kind] if kind else CONSTANTS
    kind = next((kind for kind in kinds if found.unit in kind.factors), None)
    if kind is None:
        units = list(dict.fromkeys(unit for kind in kinds for unit in kind.factors))
        raise found.token.fault(
            f"the number has {f'the unit {found.unit!r}' if found.unit else 'no unit'},"
            f" valid {'are' if len(units) > 1 else 'is'} {', '.join(unit or 'none' for unit in units)}"
            f"{nearest_hint(found.unit, units)}"
        )
    return Number(found.number * kind.factors[found.unit], COUNT if kind is STARTS else kind)
