"""Parse one threshold statement, such as `p95 of careers.select < 500 ms`.

    statement  = metric [ "of" selector ] [ part ] [ windows ] operator limit
    metric     = [ "corrected_" | "cumulated_" ] ( "p" number | "mean" | "max" ) | "min" | "rps" | "count"
               | "failures" | "error_rate" | "dropped_iterations" | "late_iterations" | "rate" | "checks"
    selector   = terms { "or" terms }        not with dropped_iterations and late_iterations
    terms      = [ "not" ] term { "and" [ "not" ] term }
    term       = word | quoted               name or glob with * and ? of a request or of a journey's metric;
                                             of what else after "iteration:", "transaction:", "type:", "tag:"
                                             or "user:"
    part       = "during" ( "steady" | word | quoted )       name or glob of a stage
               | "over" ( "first" | "last" ) time | "over" time "to" time
    windows    = "each" ( time | "second" | "minute" | "hour" ) | "worst" time
    time       = number ( "ms" | "s" | "min" | "h" )         the space between them is free
    operator   = "<" | "<=" | ">" | ">="
    limit      = number [ unit ]             the space between them is free
    unit       = "us" | "ms" | "s" | "min" | "%" | "/s" | "B" | "KB" | "MB" | "GB"
    quoted     = '"' { any but '"' } '"' | "'" { any but "'" } "'"
    word       = one or more characters other than space, quotes and < > = !

Every fault is a ValueError whose text says what is wrong and what would be valid; `reading` quotes the
statement before it.
"""

import math
import re
from dataclasses import replace

from plimsoll.redact import redact_name
from reports.errors import nearest_hint
from reports.thresholds.metric import (
    CUSTOM,
    CUSTOM_UNITS,
    FORMER_PREFIXES,
    KINDS,
    LATENCY,
    SHARE,
    SHARE_UNITS,
    STARTS,
    SYNONYMS,
    Clock,
    Metric,
    metric_of,
)
from reports.thresholds.scope import STEADY, read_scope
from reports.thresholds.selector import EVERYTHING, Condition, Selector, Target
from reports.thresholds.statement import UPPER_LIMITS, Statement
from reports.thresholds.tokens import NUMBER, TOKEN, Token, TokenKind, Tokens, shown

OPERATORS = (*UPPER_LIMITS, ">", ">=")
OF_THE_RUN = ("dropped_iterations", "late_iterations")
METRIC_WORDS = "a percentile such as p95, corrected_p95 or cumulated_p95, " + ", ".join(KINDS)


AND, OR, NOT = (Token(TokenKind.WORD, word) for word in ("and", "or", "not"))


def parse(source: str) -> Statement:
    """Return the statement that `source` spells.

    Secrets in its names are masked as the recorder masks them: the run has the masked names only.

    Raises ValueError saying what is wrong and what would be valid.
    """

    def masked(token: re.Match[str]) -> str:
        name = Condition(token[token.lastgroup or 0]).pattern
        return token[0].replace(name, redact_name(name))

    source = TOKEN.sub(masked, source)
    parser = _Parser(source)
    metric = parser.metric()
    selector = parser.selector(metric)
    scope = read_scope(parser)
    if scope != STEADY and metric.name in OF_THE_RUN:
        raise ValueError(f"{metric.name!r} is about the whole run, valid is '{metric.name} < 1%' alone")
    operator = parser.operator(metric)
    metric, limit = parser.limit(metric, selector)
    parser.end()
    statement = Statement(metric, selector, _target(metric, selector), operator, limit, source, scope)
    _refuse_foregone(statement)
    return statement


class _Parser(Tokens):
    """Walk the tokens once, one method per rule of the grammar."""

    def metric(self) -> Metric:
        token = self.take()
        if token.kind is not TokenKind.WORD:
            raise ValueError(f"starts with {shown(token)}, where a metric is wanted: {METRIC_WORDS}")
        try:
            return metric_of(token.text)
        except KeyError:
            word = token.text.lower()
            former = next((former for former in FORMER_PREFIXES if word.startswith(former)), "")
            hint = nearest_hint(word, [*KINDS, "p50", "p90", "p95", "p99", "p99.9"])
            if word in SYNONYMS:
                hint = f"; here it is called {SYNONYMS[word]!r}"
            elif former:
                hint = f"; it is called {FORMER_PREFIXES[former] + word.removeprefix(former)!r} now"
            raise ValueError(f"unknown metric {token.text!r}, valid are {METRIC_WORDS}{hint}") from None

    def selector(self, metric: Metric) -> Selector:
        selector = self.named() if self.token == Token(TokenKind.WORD, "of") else EVERYTHING
        target = _target(metric, selector)
        if target is Target.SCHEDULE and selector is not EVERYTHING:
            raise ValueError(
                f"{metric.name!r} is about the whole run, valid is '{metric.name} < 1%' without 'of'"
            )
        if metric.name == "rate" and (selector.target is not Target.REQUESTS or selector is EVERYTHING):
            raise ValueError("'rate' is one of the journey's own metrics, valid is 'rate of NAME > 80%'")
        if metric.clock is Clock.CUMULATED and target is not Target.TRANSACTIONS:
            raise ValueError(
                f"{metric.name!r} applies to transactions only, valid is"
                f" '{metric.name} of transaction:NAME < 3 s'"
            )
        return selector

    def named(self) -> Selector:
        alternatives = [[self.condition(self.take())]]
        while self.token in {AND, OR}:
            word = self.take()
            if word == OR:
                alternatives.append([])
            alternatives[-1].append(self.condition(word))
        selector = Selector(tuple(map(tuple, alternatives)))
        if selector.mixes:
            raise ValueError(
                f"{selector.pattern!r} names requests, iterations or transactions together, valid is one of"
                " them; 'tag:', 'type:' and 'user:' go with any"
            )
        return selector

    def condition(self, before: Token) -> Condition:
        negated = self.token == NOT
        if negated:
            before = self.take()
        token = self.take()
        if token.kind not in {TokenKind.WORD, TokenKind.QUOTED} or not token.text or token in {AND, OR, NOT}:
            raise ValueError(
                f"{before.text!r} is followed by {shown(token)}, where a request name or glob is wanted"
            )
        return Condition(token.text, negated)

    def operator(self, metric: Metric) -> str:
        token = self.take()
        if token.kind is not TokenKind.OPERATOR:
            raise ValueError(
                f"{shown(token)} stands where one of {' '.join(OPERATORS)} is wanted; before it only"
                f" '{metric.name} of NAME' is known, with and, or, not, and a NAME that has spaces in quotes,"
                " and then 'during STAGE', 'over last TIME', 'each TIME' or 'worst TIME'"
            )
        if token.text not in OPERATORS:
            raise ValueError(f"unknown operator {token.text!r}, valid are {' '.join(OPERATORS)}")
        return token.text

    def limit(self, metric: Metric, selector: Selector) -> tuple[Metric, float]:
        token = self.take()
        match = NUMBER.fullmatch(token.text) if token.kind is TokenKind.WORD else None
        if match is None:
            raise ValueError(
                f"the limit is {shown(token)}, where a number that is not negative is wanted,"
                f" here {metric.kind.wanted}"
            )
        unit = match["unit"]
        if not unit and self.token.kind is TokenKind.WORD:
            unit = self.take().text
        if metric.kind is STARTS and unit in SHARE_UNITS:
            metric = replace(metric, kind=SHARE)
        # A limit without a unit of time is on one of the journey's own metrics.
        of_names = selector.target is Target.REQUESTS and not selector.is_all
        if of_names and metric.kind is LATENCY and metric.clock is Clock.LATENCY and unit in CUSTOM_UNITS:
            metric = replace(metric, kind=CUSTOM)
        kind = metric.kind
        if unit not in kind.factors:
            problem = f"unit {unit!r} does not fit {metric.name}" if unit else "the limit has no unit"
            hint = nearest_hint(unit, kind.factors)
            raise ValueError(f"{problem}: {metric.name} takes {kind.wanted}{hint}")
        limit = float(match["number"]) * kind.factors[unit]
        if not math.isfinite(limit):
            raise ValueError(f"the limit {float(match['number'])!r} is too large, valid is any finite number")
        return metric, limit

    def end(self) -> None:
        if self.token.kind is not TokenKind.END:
            raise ValueError(f"{shown(self.token)} follows the limit, where the statement should end")


def _target(metric: Metric, selector: Selector) -> Target:
    if metric.name in OF_THE_RUN:
        return Target.SCHEDULE
    return Target.METRICS if metric.kind is CUSTOM or metric.name in {"rate", "checks"} else selector.target


def _refuse_foregone(statement: Statement) -> None:
    """Raise ValueError for a limit that every figure keeps, or every one breaks."""
    metric, is_upper = statement.metric, statement.operator in UPPER_LIMITS
    space = " " if metric.kind.unit.isalpha() else ""
    if metric.kind.most < statement.first_value_outside:
        side, bound, valid = ("above", "below"), metric.kind.most, "<" if is_upper else ">="
        holds = "always" if is_upper else "never"
    elif statement.first_value_outside <= 0:
        side, bound, valid = ("below", "above"), 0.0, "<=" if is_upper else ">"
        holds = "never" if is_upper else "always"
    else:
        return
    shown, bounded = (f"{number:.10g}{space}{metric.kind.unit}" for number in (statement.limit, bound))
    raise ValueError(
        f"'{statement.operator} {shown}' {holds} holds, as {metric.name} is never {side[0]} {bounded};"
        f" valid is a limit {side[1]} {bounded}, or '{valid} {bounded}'"
    )
