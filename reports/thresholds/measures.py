"""Read a measure: a metric, what it selects, and over which part of the run."""

import re
from dataclasses import replace

from reports.errors import nearest_hint
from reports.thresholds.metrics import (
    APDEX,
    APDEX_NAME,
    CUSTOM,
    DEGRADATION,
    DURATION,
    FORMER_PREFIXES,
    FUNCTIONS,
    KINDS,
    LATENCY,
    OF_SCHEDULE,
    RECOVERY,
    RISE,
    SERIES,
    SLOPE,
    SYNONYMS,
    Clock,
    Metric,
    metric_of,
    slope_kind,
)
from reports.thresholds.selectors import EVERYTHING, Condition, Selector, Target, single
from reports.thresholds.statement import WHOLE, Measure, Part, Scope
from reports.thresholds.tokens import MAX_TIME_S, NUMBER, Cursor, Token, TokenKind

METRIC_WORDS = "a percentile such as p95, corrected_p95 or cumulated_p95, " + ", ".join((*KINDS, *FUNCTIONS))
EACH = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
WITH_SLOPE = frozenset({"error_rate", "rps", "bytes_per_s"})


class Measures:
    """Read one measure, one method per rule of the grammar.

    With `own_metrics` latencies of names are figures of the journey's own metrics, without a unit of time.
    """

    def __init__(self, cursor: Cursor, *, own_metrics: bool) -> None:
        self.cursor = cursor
        self.own_metrics = own_metrics

    def measure(self) -> Measure:
        """Return the measure that comes next; raises ValueError where there is none."""
        token = self.cursor.take()
        if token.word == RECOVERY:
            selector = self._selector() if self.cursor.takes("of") else EVERYTHING
            after = self.cursor.take()
            if after.word != "after":
                raise after.fault(
                    f"{after.shown} stands where 'after' is wanted: 'recovery after STAGE < 10 s'"
                )
            scope = Scope(Part.AFTER, self._stage(after))
            return Measure(Metric(RECOVERY, None, DURATION), selector, selector.target, scope)
        if token.word not in {DEGRADATION, SLOPE}:
            return replace(self._figure(token), scope=self._scope())
        found, at = self._change(token), self.cursor.token
        scope = self._scope()
        if scope.window_s is not None:
            raise at.fault(f"a {token.text} is over a part of the run, not over windows of it")
        return replace(found, scope=scope)

    def _change(self, function: Token) -> Measure:
        """Return the degradation or slope of a figure or of a sampled series."""
        wanted = f"'{function.text} of p95' or '{function.text} of service.memory'"
        if self.cursor.takes("of") is None:
            raise self.cursor.token.fault(f"{self.cursor.token.shown} stands where 'of' is wanted: {wanted}")
        if found := self._series():
            of, kind = None, found.kind
        else:
            token = self.cursor.take()
            found = self._figure(token)
            of, kind = found.metric, found.kind
            if kind not in {LATENCY, CUSTOM} and not (function.text == SLOPE and of.name in WITH_SLOPE):
                raise token.fault(f"there is no {function.text} of {of.name!r}, valid is such as {wanted}")
        kind = RISE if function.text == DEGRADATION else slope_kind(kind)
        return replace(found, metric=Metric(function.text, None, kind, of))

    def _figure(self, token: Token) -> Measure:
        """Return a metric with what it selects, which for a statistic may be a sampled series."""
        metric, selector, at = _metric(token), EVERYTHING, self.cursor.token
        if self.cursor.takes("of"):
            is_statistic = metric.clock is Clock.LATENCY and metric.kind is LATENCY and metric.name != "stdev"
            if is_statistic and (series := self._series()):
                return replace(series, metric=replace(metric, kind=series.kind))
            selector = self._selector()
        if metric.name in OF_SCHEDULE:
            if selector is not EVERYTHING:
                raise at.fault(
                    f"{metric.name!r} is about the whole run, valid is '{metric.name} < 1%' without 'of'"
                )
            return Measure(metric, selector, Target.SCHEDULE)
        if metric.name == "rate" and (selector.target is not Target.REQUESTS or selector is EVERYTHING):
            raise token.fault("'rate' is one of the journey's own metrics, valid is 'rate of NAME > 80%'")
        if metric.clock is Clock.CUMULATED and selector.target is not Target.TRANSACTIONS:
            raise token.fault(
                f"{metric.name!r} applies to transactions only, valid is"
                f" '{metric.name} of transaction:NAME < 3 s'"
            )
        of_names = selector.target is Target.REQUESTS and not selector.is_all
        if self.own_metrics and of_names and metric.kind is LATENCY and metric.clock is Clock.LATENCY:
            metric = replace(metric, kind=CUSTOM)
        is_own = metric.kind is CUSTOM or metric.name in {"rate", "checks"}
        return Measure(metric, selector, Target.METRICS if is_own else selector.target)

    def _series(self) -> Measure | None:
        """Return the sampled series that comes next, as a metric without a statistic, or None."""
        token = self.cursor.token
        if token.word not in SERIES:
            of, _, name = token.word.partition(".")
            hint = nearest_hint(
                name, [known.removeprefix(f"{of}.") for known in SERIES if known.startswith(f"{of}.")]
            )
            if hint:
                raise token.fault(
                    f"nothing is sampled as {token.word!r}{hint} A request of this name is put in quotes"
                )
            return None
        self.cursor.take()
        return Measure(Metric("", None, SERIES[token.word].kind), single(token.word), Target.SERIES)

    def _selector(self) -> Selector:
        """Return what stands after `of`."""
        first, before = self.cursor.token, "of"
        alternatives: list[list[Condition]] = [[]]
        while True:
            negation = self.cursor.takes("not")
            before = negation.text if negation else before
            token = self.cursor.take()
            if token.kind not in {TokenKind.WORD, TokenKind.QUOTED} or token.word in {"and", "or", "not"}:
                raise token.fault(
                    f"{before!r} is followed by {token.shown}, where a request name or glob is wanted"
                )
            if not token.text:
                raise token.fault(f"{before!r} is followed by '', where a request name or glob is wanted")
            alternatives[-1].append(Condition(token.text, negated=negation is not None))
            joint = self.cursor.takes("and", "or")
            if joint is None:
                break
            before = joint.text
            if before == "or":
                alternatives.append([])
        selector = Selector(tuple(map(tuple, alternatives)))
        if selector.mixes:
            raise first.fault(
                f"{selector.pattern!r} names requests, iterations or transactions together, valid is one of"
                " them; 'tag:', 'type:' and 'user:' go with any"
            )
        return selector

    def _scope(self) -> Scope:
        """Return the part of the run and the windows that come next; the steady state where none do."""
        scope = WHOLE
        if during := self.cursor.takes("during"):
            if self.cursor.takes("steady") is None:
                scope = Scope(Part.STAGE, self._stage(during))
        elif self.cursor.takes("over"):
            if part := self.cursor.takes("first", "last"):
                scope = Scope(Part(part.text), to_s=self.cursor.time_s("the length"))
            else:
                at, from_s = self.cursor.token, self.cursor.time_s("the start", min_=0.0)
                if self.cursor.takes("to") is None:
                    raise self.cursor.token.fault(
                        f"{self.cursor.token.shown} stands where 'to' is wanted; valid are"
                        " 'over first 5 min', 'over last 5 min' and 'over 10 s to 30 s'"
                    )
                scope = Scope(Part.ELAPSED, from_s=from_s, to_s=self.cursor.time_s("the end"))
                if scope.from_s >= scope.to_s:
                    raise at.fault("the end is not after the start, valid is such as 'over 10 s to 30 s'")
        if self.cursor.takes("each"):
            named = self.cursor.takes(*EACH)
            scope = replace(scope, window_s=EACH[named.text] if named else self.cursor.time_s("the window"))
        elif self.cursor.takes("worst"):
            scope = replace(scope, window_s=self.cursor.time_s("the window"), is_worst=True)
        return scope

    def _stage(self, before: Token) -> str:
        token = self.cursor.take()
        if token.kind not in {TokenKind.WORD, TokenKind.QUOTED} or not token.text:
            raise token.fault(f"{before.text!r} is followed by {token.shown}, where a stage is wanted")
        return token.text


def _metric(token: Token) -> Metric:
    """Return the metric that a word names; raises ValueError for a word that names none."""
    if apdex := re.fullmatch(r"apdex(?:\((.*)\))?", token.word, re.DOTALL):
        return _apdex(token, apdex[1] or "")
    try:
        return metric_of(token.word)
    except KeyError:
        pass
    except ValueError as error:
        raise token.fault(str(error)) from None
    word = token.word.lower()
    former = next((former for former in FORMER_PREFIXES if word.startswith(former)), "")
    hint = nearest_hint(word, [*KINDS, RECOVERY, DEGRADATION, SLOPE, "p50", "p90", "p95", "p99", "p99.9"])
    if word in SYNONYMS:
        hint = f"; here it is called {SYNONYMS[word]!r}"
    elif former:
        hint = f"; it is called {FORMER_PREFIXES[former] + word.removeprefix(former)!r} now"
    elif set(word) & set("+-*/()"):
        hint = "; the signs + - * / stand between spaces"
    raise token.fault(f"unknown metric {token.text!r}, valid are {METRIC_WORDS}{hint}")


def _apdex(token: Token, target: str) -> Metric:
    match = NUMBER.fullmatch(target.strip())
    factor = LATENCY.factors.get(match["unit"].strip(), 0.0) if match else 0.0
    satisfied_ms = float(match["number"]) * factor if match else 0.0
    if not 0 < satisfied_ms <= MAX_TIME_S * 1000:
        raise token.fault(
            f"{token.text!r} is not known, valid is 'apdex(500 ms) > 0.9': requests of up to 500 ms count 1,"
            " of up to 2 s count 0.5, slower and failed ones 0"
        )
    return Metric(f"{APDEX_NAME}({satisfied_ms:.10g} ms)", None, APDEX, satisfied_ms=satisfied_ms)
