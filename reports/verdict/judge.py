"""Hold one threshold against what was estimated: PASS, FAIL or INCONCLUSIVE, with the reason."""

import math
from dataclasses import dataclass, replace

from plimsoll.run_files.exit_status import Outcome
from reports.estimates.estimate import INDEPENDENT, Estimate, is_far
from reports.estimates.loop_lag import IN_BROWSER
from reports.load.run import Run
from reports.steady_state import SteadyState, steady_state
from reports.thresholds.entries import Threshold
from reports.thresholds.metrics import Scaling
from reports.thresholds.selectors import Target
from reports.thresholds.statement import UPPER_LIMITS, WHOLE, Baseline, Statement
from reports.verdict.evaluation import MAX_LIMIT, Measured, evaluate
from reports.verdict.measured import select
from reports.wording import plural, quantity

DAY_S = 86_400.0
CASES = {Target.METRICS: "value", Target.TRANSACTIONS: "successful transaction"}
EXTREMES = ("max", "min")
FEWEST_FOR_EXTREMES = 30
"""The slowest of a handful of requests says nothing of the slowest that users meet."""


@dataclass(frozen=True)
class Judgement:
    """Hold the verdict on one threshold; `limit` is scaled as the run was.

    `in_browser` says whether it is about latencies that the generator's event loop did not time. `window` is
    the time that it is about, None for the whole run; `upper_limit` that of a band.
    """

    threshold: Threshold
    limit: float
    estimate: Estimate | None
    outcome: Outcome
    reason: str = ""
    in_browser: bool = False
    window: SteadyState | None = None
    upper_limit: float | None = None

    @property
    def source(self) -> str:
        """Return the statement as it was written."""
        return self.threshold.statement.source.strip()

    @property
    def measured(self) -> str:
        """Say what was measured where the limit is broken."""
        if self.estimate is None or self.estimate.value is None:
            return "the whole interval is beyond the limit"
        unit = self.threshold.statement.metric.kind.unit
        change = self.estimate.change and f", {self.estimate.change}"
        return f"measured {quantity(self.estimate.value, unit, digits=4)}{change}"


def judge_threshold(threshold: Threshold, run: Run, window: SteadyState | None, lowered: Run) -> Judgement:
    """Return the verdict on one threshold, whatever the run's validity.

    With a window the intervals within it are judged, without one the figures of Locust's CSV files. `lowered`
    is the run without the lag of the generator's event loop.
    """
    statement = threshold.statement
    limit, scaled = scaled_limit(statement, run)
    upper = None if statement.upper_limit is None else limit_of(statement.upper_limit, statement, run)
    in_browser, types = False, run.intervals.rows["request_type"]
    if window is not None and statement.metric.is_latency and IN_BROWSER in types.cat.categories:
        chosen, _ = select(statement, run, window)
        in_browser = chosen is not None and chosen.types == {IN_BROWSER}
    unknown = Judgement(
        threshold, limit, None, Outcome.INCONCLUSIVE, in_browser=in_browser, upper_limit=upper
    )
    if statement.baseline is not None:
        return _against_baseline(unknown, statement.baseline, run, window, lowered)
    verdict = _judge(unknown, run, window)
    if lowered is not run and any(each.metric.is_latency for each in statement.measures):
        verdict = _with_lag(verdict, _judge(unknown, lowered, window))
    caveat = verdict.estimate.caveat if verdict.estimate is not None else ""
    return replace(verdict, reason="; ".join(part for part in (verdict.reason, scaled, caveat) if part))


def _against_baseline(
    unknown: Judgement, baseline: Baseline, run: Run, window: SteadyState | None, lowered: Run
) -> Judgement:
    """Return the judgement by the limit that an earlier run sets, if both ends of its figure agree."""
    statement, earlier = unknown.threshold.statement, run.earlier.get(baseline.name)
    if earlier is None:
        return replace(unknown, reason="no earlier run is named: judge with --baseline RUN")
    figure = replace(statement, baseline=None, operator="<", limit=MAX_LIMIT, upper_limit=None)
    found, *_ = evaluate(figure, earlier, steady_state(earlier) if earlier.intervals else None)
    known = found.estimate
    if known is None or known.value is None or known.low is None or known.high is None:
        why = found.why_not if known is None else f"{known.n} requests are too few"
        return replace(unknown, reason=f"the baseline does not tell its figure: {why}")
    scale = math.prod(_scales(statement, earlier).values())
    judged = [
        judge_threshold(
            replace(unknown.threshold, statement=statement.against(end / scale)), run, window, lowered
        )
        for end in (known.value, known.low, known.high)
    ]
    shown = quantity(known.value, statement.metric.kind.unit, digits=4)
    reason = f"{earlier.meta.id} had {shown}; how much runs differ, one does not tell"
    result = replace(judged[0], threshold=unknown.threshold)
    if len({each.outcome for each in judged}) > 1:
        open_s = "the limit lies within what is known of the earlier run"
        result = replace(result, outcome=Outcome.INCONCLUSIVE, reason=open_s)
    return replace(result, reason="; ".join(part for part in (result.reason, reason) if part))


def scaled_limit(statement: Statement, run: Run) -> tuple[float, str]:
    """Return the limit for the scale of the run, and how it came about (empty where nothing was scaled).

    Limits are stated at full size: a rate follows the users, a count the users and the time.
    """
    kind, used = statement.metric.kind, _scales(statement, run)
    words = "".join(f" × {name} {factor:g}" for name, factor in used.items())
    limit = limit_of(statement.limit, statement, run)
    return limit, f"limit {statement.limit:.10g}{kind.unit}{words}" if used else ""


def limit_of(stated: float, statement: Statement, run: Run) -> float:
    """Return a limit of a statement for the scale of the run."""
    return stated * math.prod(_scales(statement, run).values())


def _scales(statement: Statement, run: Run) -> dict[str, float]:
    meta = run.meta
    factors = {
        Scaling.NONE: {},
        Scaling.USERS: {"user scale": meta.user_scale},
        Scaling.USERS_AND_TIME: {"user scale": meta.user_scale, "time scale": meta.time_scale},
    }[statement.metric.kind.scaling]
    return {name: factor for name, factor in factors.items() if factor != 1}


def decide(found: Estimate, operator: str, limit: float) -> Outcome:
    """Return PASS if the whole interval is inside the limit, FAIL if the whole is outside."""
    if found.outcome is not None:
        return found.outcome
    if operator == "!=":
        return Outcome.FAIL if found.value == limit else Outcome.PASS
    inside, outside = _sides((found.low, found.high), operator, limit)
    if inside and found.needed_n is None:
        return Outcome.PASS
    # With too few requests only a certain FAIL remains: the interval then lacks the ends that are not known.
    return Outcome.FAIL if outside else Outcome.INCONCLUSIVE


def narrowed(found: Estimate, operator: str, limit: float, max_value: float = math.inf) -> Estimate:
    """Return the estimate with the interval that breaks the limit for sure, if one does.

    A step in the figure widens the interval over blocks, though it is not noise. Where a figure that is
    `max_value` at most is far beyond its limit, it matters little how alike requests are.
    """
    if found.step is not None and _sides(found.step, operator, limit)[1]:
        low, high = found.step
        return replace(found, low=low, high=high, method=f"{found.method}; from each side of the step alone")
    if found.independent is None or not is_far(found.value, operator, limit, max_value):
        return found
    if not _sides(found.independent, operator, limit)[1]:
        return found
    low, high = found.independent
    return replace(found, low=low, high=high, method=f"{found.method}; far beyond the limit, {INDEPENDENT}")


def _sides(ends: tuple[float | None, float | None], operator: str, limit: float) -> tuple[bool, bool]:
    """Return whether an interval is wholly inside the limit, and whether it is wholly outside."""
    low = -math.inf if ends[0] is None else ends[0]
    high = math.inf if ends[1] is None else ends[1]
    return {
        "<": (high < limit, low >= limit),
        "<=": (high <= limit, low > limit),
        ">": (low > limit, high <= limit),
        ">=": (low >= limit, high < limit),
    }[operator]


WORST_FIRST = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)


def _judge(judgement: Judgement, run: Run, window: SteadyState | None) -> Judgement:
    """Return the worst of the judgements on the parts of the run, and on the sides of the limit."""
    found = [
        _judge_part(judgement, replace(side, limit=limit_of(side.limit, side, run)), part, run)
        for side in judgement.threshold.statement.sides
        for part in evaluate(side, run, window)
    ]
    return min(found, key=lambda each: WORST_FIRST.index(each.outcome))


def _judge_part(judgement: Judgement, side: Statement, measured: Measured, run: Run) -> Judgement:
    found, metric = measured.estimate, side.metric
    judgement = replace(judgement, window=measured.part)
    if found is None:
        return replace(judgement, reason=measured.why_not)
    is_extreme = metric.is_latency and metric.figure in EXTREMES and side.target is not Target.SERIES
    if is_extreme and found.n < FEWEST_FOR_EXTREMES:
        found = replace(found, needed_n=FEWEST_FOR_EXTREMES)
    if decide(found, side.operator, side.limit) is Outcome.INCONCLUSIVE:
        found = narrowed(found, side.operator, side.limit, metric.kind.max_)
    outcome = decide(found, side.operator, side.limit)
    length_s = run.duration_s if measured.part is None else float(measured.part.length_s)
    doubt = _doubt(found, side, length_s) if outcome is Outcome.INCONCLUSIVE else ""
    if any(each.scope != WHOLE for each in side.measures):
        doubt = doubt.replace("; a run of", "; a longer part of")
    reasons = (doubt, found.change if outcome is Outcome.FAIL else "", measured.words)
    reason = "; ".join(reason for reason in reasons if reason)
    return replace(judgement, estimate=found, outcome=outcome, reason=reason)


def _with_lag(judged: Judgement, lowered: Judgement) -> Judgement:
    """Return the judgement with the lower end of its interval as it is without the event loop's lag.

    An outcome for which the figure must be above the limit has to hold without the lag as well.
    """
    found, without = judged.estimate, lowered.estimate
    if found is None or without is None:
        return judged
    low = None if found.low is None or without.low is None else min(found.low, without.low)
    wide = replace(judged, estimate=replace(found, low=low))
    is_upper = judged.threshold.statement.operator in UPPER_LIMITS
    is_above = judged.outcome is (Outcome.FAIL if is_upper else Outcome.PASS)
    if not is_above or lowered.outcome is judged.outcome:
        return wide
    figure = "" if without.value is None else f" (without it {quantity(without.value, 'ms', digits=4)})"
    side = "broken" if is_upper else "kept"
    reason = f"the limit may be {side} by no more than the generator's event-loop lag{figure}"
    return replace(wide, outcome=Outcome.INCONCLUSIVE, reason=reason)


def _doubt(found: Estimate, side: Statement, duration_s: float | None) -> str:
    """Say why an estimate does not decide, and which length of run would: D * (half / distance)^2."""
    limit = side.limit
    if found.needed_n is not None:
        longer = _longer(found.needed_n / found.n, duration_s) if found.n else ""
        target = side.target
        case = CASES.get(target, "successful request")
        are = plural(found.n, f"{case} is", f"{case}s are")
        return f"{found.n} {are} too few, {found.needed_n} are needed{longer}"
    if found.doubt or found.value is None:
        return found.doubt
    if found.change:
        return f"the limit lies inside the interval, and the figure changed: {found.change}"
    if found.longer is not None:
        return f"the limit lies inside the interval{_longer(found.longer, duration_s)}"
    distance = abs(found.value - limit)
    half = found.high - found.value if found.high is not None and found.value <= limit else None
    if half is None:
        half = found.value - (found.low or 0.0)
    if distance == 0:
        return "the figure is exactly at its limit"
    return f"the limit lies inside the interval{_longer((half / distance) ** 2, duration_s)}"


def _longer(factor: float, duration_s: float | None) -> str:
    if not duration_s or not math.isfinite(factor):
        return ""
    needed_s = max(factor, 1.0) * duration_s
    if needed_s > DAY_S:
        return "; a run of more than a day would decide"
    shown = f"{needed_s:.0f} s" if needed_s < 120 else f"{needed_s / 60:.0f} min"
    return f"; a run of about {shown} would decide"
