"""Read what follows the expression of a statement: the operator and the limit."""

import math
from dataclasses import replace

from reports.errors import nearest_hint
from reports.thresholds.metrics import SHARE, SHARE_UNITS, STARTS, Kind, Scaling
from reports.thresholds.statement import BETWEEN, UPPER_LIMITS, Baseline, Measure, Statement
from reports.thresholds.tokens import Amount, Cursor, Token, TokenKind

OPERATORS = (*UPPER_LIMITS, ">", ">=")
EQUALITY = ("==", "!=")
"""Of counts only: an interval is never one number."""
BASELINE = "baseline"
POINTS = "pp"


class UnitError(ValueError):
    """The unit of a limit does not fit the kind of the expression."""


def read_limit(cursor: Cursor, statement: Statement) -> Statement:
    """Return the statement with the operator and the limit that come next.

    Raises UnitError for a unit that does not fit, and ValueError for anything else that is wrong.
    """
    token = _operator(cursor, statement)
    if (
        cursor.token.word[: len(BASELINE)] == BASELINE
        and not cursor.token.word[len(BASELINE) :][:1].isalnum()
    ):
        return _against_baseline(cursor, statement, token)
    first = _limit(cursor, statement)
    if isinstance(statement.expression, Measure) and statement.expression.kind is STARTS:
        # The unit of the limit says whether the number of iterations is meant, or their share.
        kind = SHARE if first.unit in SHARE_UNITS else STARTS
        metric = replace(statement.expression.metric, kind=kind)
        statement = replace(statement, expression=replace(statement.expression, metric=metric))
    kind = statement.expression.kind
    limit = _value(first, statement)
    if token.text == BETWEEN:
        if cursor.takes("and") is None:
            raise cursor.token.fault(f"{cursor.token.shown} stands where 'and' is wanted: 'between A and B'")
        return _band(statement, limit, _value(_limit(cursor, statement), statement), token)
    if token.text == "==" and cursor.sign("±"):
        offset, is_relative = _offset(cursor, kind)
        return _band(statement, *Baseline("", offset, is_relative).limits(limit, is_band=True), token)
    is_count = kind.unit == "" and kind.scaling is Scaling.USERS_AND_TIME
    if token.text in EQUALITY and not is_count:
        raise token.fault(
            f"{token.text!r} is for counts, such as 'failures == 0': no other figure is one number exactly;"
            f" valid are {' '.join(OPERATORS)}, '== {kind.shown(limit)} ± 10%' and 'between A and B'"
        )
    return replace(statement, limit=limit)


def _operator(cursor: Cursor, statement: Statement) -> Token:
    token = cursor.take()
    if token.word != BETWEEN and token.kind is not TokenKind.OPERATOR:
        name = statement.metric.name if isinstance(statement.expression, Measure) else "p95"
        raise token.fault(
            f"{token.shown} stands where one of {' '.join(OPERATORS)} is wanted; before it only"
            f" '{name} of NAME' is known, with and, or, not, and a NAME that has spaces in quotes, then a"
            " part of the run such as 'during STAGE', 'over last 5 min', 'each minute' or 'worst 30 s', and"
            " + - * / between spaces"
        )
    if token.text not in {*OPERATORS, *EQUALITY, BETWEEN}:
        raise token.fault(
            f"unknown operator {token.text!r}, valid are {' '.join(OPERATORS)}, 'between A and B', and of"
            f" counts == and !={nearest_hint(token.text, EQUALITY)}"
        )
    return token


def _limit(cursor: Cursor, statement: Statement) -> Amount:
    kind = statement.expression.kind
    signs = "-" if kind.min_ < 0 else ""
    is_negative = bool(cursor.sign(signs))
    amount = cursor.amount("the limit", kind.wanted)
    return amount._replace(number=-amount.number) if is_negative else amount


def _value(amount: Amount, statement: Statement) -> float:
    kind, name = statement.expression.kind, statement.metric.name
    if amount.unit not in kind.factors:
        problem = f"unit {amount.unit!r} does not fit {name}" if amount.unit else "the limit has no unit"
        hint = nearest_hint(amount.unit, kind.factors)
        raise UnitError(str(amount.token.fault(f"{problem}: {name} takes {kind.wanted}{hint}")))
    value = amount.number * kind.factors[amount.unit]
    if not math.isfinite(value):
        raise amount.token.fault(f"the limit {amount.number!r} is too large, valid is any finite number")
    return value


def _band(statement: Statement, low: float, high: float, token: Token) -> Statement:
    kind = statement.expression.kind
    if not low < high or low > kind.max_ or high < kind.min_:
        raise token.fault(
            f"nothing is between {kind.shown(low)} and {kind.shown(high)}; valid is the lower limit first,"
            " and one that can be reached"
        )
    return replace(statement, operator=BETWEEN, limit=low, upper_limit=high)


def _against_baseline(cursor: Cursor, statement: Statement, token: Token) -> Statement:
    """Return the statement with a limit that an earlier run gives."""
    cursor.split(len(BASELINE))
    cursor.take()
    name = cursor.take().text if cursor.token.kind is TokenKind.QUOTED else ""
    sign = cursor.sign("+-±")
    offset, is_relative = _offset(cursor, statement.expression.kind) if sign else (0.0, False)
    is_band = sign == "±"
    if is_band is not (token.text == "==") or token.text in {"!=", BETWEEN}:
        raise token.fault(
            f"'{token.text} baseline {sign}'".replace(" '", "'")
            + f" is not known, valid are {' '.join(OPERATORS)} with 'baseline', 'baseline + 10%' or"
            " 'baseline - 10%', and '== baseline ± 10%'"
        )
    baseline = Baseline(name, -offset if sign == "-" else offset, is_relative)
    return replace(statement, operator=BETWEEN if is_band else token.text, baseline=baseline)


def _offset(cursor: Cursor, kind: Kind) -> tuple[float, bool]:
    """Return how far from a limit, and whether as a ratio of it."""
    points = {POINTS: 1.0} if kind.unit == "%" else {}
    units = {**kind.factors, "%": 0.01, **points}
    wanted = f"per cent of the limit such as '10%', or one in {', '.join(filter(None, units))}"
    amount = cursor.amount("the distance", wanted)
    if amount.unit not in units:
        raise amount.token.fault(f"the distance has the unit {amount.unit!r}, valid is {wanted}")
    return amount.number * units[amount.unit], amount.unit == "%"
