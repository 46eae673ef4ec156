"""What a limit says: nothing where every figure keeps or breaks it; and the wrong way round, perhaps."""

import math

from reports.thresholds.metrics import (
    BAD_IF_HIGH,
    CUSTOM,
    DEGRADATION,
    PERCENT,
    RECOVERY,
    SAMPLED_BYTES,
    SLOPE,
    Metric,
)
from reports.thresholds.selectors import Target
from reports.thresholds.statement import UPPER_LIMITS, Measure, Statement
from reports.thresholds.tokens import Token

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def refuse_foregone(statement: Statement, operator: Token) -> None:
    """Raise ValueError for a limit that every figure keeps, or every one breaks."""
    if statement.operator not in MIRRORED or statement.baseline is not None:
        return
    kind, name, is_upper = (
        statement.expression.kind,
        statement.metric.name,
        statement.operator in UPPER_LIMITS,
    )
    if kind.max_ < statement.first_value_outside:
        side, bound, valid = ("above", "below"), kind.max_, "<" if is_upper else ">="
        holds = "always" if is_upper else "never"
    elif kind.min_ >= statement.first_value_outside and math.isfinite(kind.min_):
        side, bound, valid = ("below", "above"), kind.min_, "<=" if is_upper else ">"
        holds = "never" if is_upper else "always"
    else:
        return
    shown, bounded = kind.shown(statement.limit), kind.shown(bound)
    raise operator.fault(
        f"'{statement.operator} {shown}' {holds} holds, as {name} is never {side[0]} {bounded};"
        f" valid is a limit {side[1]} {bounded}, or '{valid} {bounded}'"
    )


def inverted(statement: Statement) -> str:
    """Return the comparison that was probably meant where a limit is the wrong way round, else nothing.

    Only of figures of which more is worse, or less is, whatever the service: `min` and `rps` are of neither.
    """
    if statement.operator not in MIRRORED or not isinstance(statement.expression, Measure):
        return ""
    metric, target = statement.expression.metric, statement.expression.target
    is_upper = statement.operator in UPPER_LIMITS
    is_bad_if_low = metric.name == "checks" or metric.satisfied_ms is not None
    if is_bad_if_low if is_upper else _is_bad_if_high(metric, target):
        limit = statement.source[len(statement.subject) :].removeprefix(statement.operator)
        kind = metric.kind
        is_at_end = statement.baseline is None and statement.limit in {kind.min_, kind.max_}
        meant = (OPPOSITE if is_at_end else MIRRORED)[statement.operator]
        return f"{statement.subject}{meant}{limit}".strip()
    return ""


def _is_bad_if_high(metric: Metric, target: Target) -> bool:
    if target is Target.SERIES:
        return metric.kind in {PERCENT, SAMPLED_BYTES} or metric.name in {DEGRADATION, SLOPE}
    if metric.of is not None:
        return _is_bad_if_high(metric.of, target)
    is_known = metric.level is not None or metric.figure in BAD_IF_HIGH or metric.name == RECOVERY
    return is_known and metric.kind is not CUSTOM
