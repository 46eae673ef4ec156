"""Hold one threshold against what was estimated: PASS, FAIL or INCONCLUSIVE, with the reason."""

import math
from dataclasses import dataclass, replace

from plimsoll.run_files.exit_status import Outcome
from plimsoll.run_files.intervals import VALUE_SCALE
from reports.estimates import recorded
from reports.estimates.csv_estimate import choose, estimate
from reports.estimates.estimate import INDEPENDENT, Estimate, is_far
from reports.estimates.loop_lag import IN_BROWSER
from reports.estimates.recorded import estimate_of_starts
from reports.estimates.selection import lacks, selected
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.thresholds.reading import Threshold
from reports.thresholds.statement import CUSTOM, UPPER_LIMITS, Clock, Scaling, Statement, Target
from reports.verdict.subject import NO_SCHEDULE, absent, select

DAY_S = 86_400.0
CASES = {Target.METRICS: "values", Target.TRANSACTIONS: "successful transactions"}
EXTREMES = ("max", "min")
FEWEST_FOR_EXTREMES = 30
"""The slowest of a handful of requests says nothing of the slowest that users meet."""


@dataclass(frozen=True)
class Judgement:
    """Hold the verdict on one threshold; `limit` is scaled as the run was.

    `in_browser` tells whether it is about latencies that the generator's event loop did not time.
    """

    threshold: Threshold
    limit: float
    estimate: Estimate | None
    outcome: Outcome
    reason: str = ""
    in_browser: bool = False

    @property
    def source(self) -> str:
        """Return the statement as it was written."""
        return self.threshold.statement.source.strip()

    @property
    def measured(self) -> str:
        """Say what was measured where the limit is broken."""
        if self.estimate is None or self.estimate.value is None:
            return "the whole interval is beyond the limit"
        value, unit = self.estimate.value, self.threshold.statement.metric.kind.unit
        # Four digits, but never a power of ten.
        figure = f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
        change = self.estimate.change and f", {self.estimate.change}"
        return f"measured {figure}{unit and ' '}{unit}{change}"


def judge_threshold(threshold: Threshold, run: Run, window: SteadyState | None, lowered: Run) -> Judgement:
    """Return the verdict on one threshold, whatever the run's validity.

    With a window the intervals within it are judged, without one the figures of Locust's CSV files. `lowered`
    is the run without the lag of the generator's event loop.
    """
    statement = threshold.statement
    limit, scaled = scaled_limit(statement, run)
    in_browser = False
    if window is not None and statement.metric.is_latency:
        chosen, _ = select(statement, run, window)
        in_browser = chosen is not None and chosen.types == {IN_BROWSER}
    unknown = Judgement(threshold, limit, None, Outcome.INCONCLUSIVE, in_browser=in_browser)
    verdict = _judge(unknown, run, window)
    if statement.metric.is_latency and lowered is not run:
        verdict = _with_lag(verdict, _judge(unknown, lowered, window))
    caveat = verdict.estimate.caveat if verdict.estimate is not None else ""
    return replace(verdict, reason="; ".join(part for part in (verdict.reason, scaled, caveat) if part))


def scaled_limit(statement: Statement, run: Run) -> tuple[float, str]:
    """Return the limit for the scale of the run, and how it came about (empty where nothing was scaled).

    Limits are stated at full size: a rate follows the users, a count the users and the time.
    """
    kind, meta = statement.metric.kind, run.meta
    factors = {
        Scaling.NONE: {},
        Scaling.USERS: {"user scale": meta.user_scale},
        Scaling.USERS_AND_TIME: {"user scale": meta.user_scale, "time scale": meta.time_scale},
    }[kind.scaling]
    used = {name: factor for name, factor in factors.items() if factor != 1}
    words = "".join(f" × {name} {factor:g}" for name, factor in used.items())
    limit = statement.limit * math.prod(used.values())
    return limit, f"limit {statement.limit:.10g}{kind.unit}{words}" if used else ""


def decide(found: Estimate, operator: str, limit: float) -> Outcome:
    """Return PASS if the whole interval is inside the limit, FAIL if the whole is outside."""
    if found.outcome is not None:
        return found.outcome
    inside, outside = _sides((found.low, found.high), operator, limit)
    if inside and found.needed_n is None:
        return Outcome.PASS
    # With too few requests only a certain FAIL remains: the interval then lacks the ends that are not known.
    return Outcome.FAIL if outside else Outcome.INCONCLUSIVE


def narrowed(found: Estimate, operator: str, limit: float, most: float = math.inf) -> Estimate:
    """Return the estimate with the interval that breaks the limit for sure, if one does.

    A step may have made the interval over blocks too wide, and is no noise. Where a figure, of which none is
    over `most`, is far beyond its limit, it matters little how alike requests are.
    """
    if found.step is not None and _sides(found.step, operator, limit)[1]:
        low, high = found.step
        return replace(found, low=low, high=high, method=f"{found.method}; from each side of the step alone")
    if found.independent is None or not is_far(found.value, operator, limit, most):
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


def _judge(judgement: Judgement, run: Run, window: SteadyState | None) -> Judgement:
    statement = judgement.threshold.statement
    found, why_not, length_s = _estimated(statement, run, window)
    if found is None:
        return replace(judgement, reason=why_not)
    is_extreme = statement.metric.is_latency and statement.metric.figure in EXTREMES
    if is_extreme and found.n < FEWEST_FOR_EXTREMES:
        found = replace(found, needed_n=FEWEST_FOR_EXTREMES)
    if decide(found, statement.operator, judgement.limit) is Outcome.INCONCLUSIVE:
        found = narrowed(found, statement.operator, judgement.limit, statement.metric.kind.most)
    outcome = decide(found, statement.operator, judgement.limit)
    reason = _doubt(found, judgement, length_s) if outcome is Outcome.INCONCLUSIVE else ""
    if outcome is Outcome.FAIL:
        reason = found.change
    return replace(judgement, estimate=found, outcome=outcome, reason=reason)


def _with_lag(measured: Judgement, lowered: Judgement) -> Judgement:
    """Return the judgement with the lower end of its interval as it is without the event loop's lag.

    An outcome for which the figure must be above the limit has to hold without the lag as well.
    """
    found, least = measured.estimate, lowered.estimate
    if found is None or least is None:
        return measured
    low = None if found.low is None or least.low is None else min(found.low, least.low)
    wide = replace(measured, estimate=replace(found, low=low))
    is_upper = measured.threshold.statement.operator in UPPER_LIMITS
    is_above = measured.outcome is (Outcome.FAIL if is_upper else Outcome.PASS)
    if not is_above or lowered.outcome is measured.outcome:
        return wide
    figure = "" if least.value is None else f" (then {least.value:.4g} ms)"
    is_not = "is not surely broken" if is_upper else "does not surely hold"
    reason = f"without the generator's event-loop lag the limit {is_not}{figure}"
    return replace(wide, outcome=Outcome.INCONCLUSIVE, reason=reason)


def _estimated(
    statement: Statement, run: Run, window: SteadyState | None
) -> tuple[Estimate | None, str, float | None]:
    """Return the estimate, or None and why there is none, and the seconds that it is from."""
    if statement.target is Target.SCHEDULE:
        return *estimate_of_starts(statement.metric, run), run.duration_s
    if window is None:
        return *_from_csv(statement, run), run.duration_s
    return *_from_intervals(statement, run, window), float(window.length_s)


def _from_csv(statement: Statement, run: Run) -> tuple[Estimate | None, str]:
    """Return the estimate from Locust's figures, or None and why there is none."""
    metric, selector = statement.metric, statement.selector
    if metric.clock is Clock.CORRECTED:
        return None, NO_SCHEDULE
    if statement.target is not Target.REQUESTS or lacks(selector, run.requests):
        return None, "Locust's CSV files tell only of requests, their types and names"
    are_meant = bool(selected(selector, run.requests).any())
    if not are_meant and not selector.is_all:
        return None, absent(statement, run)
    rows = choose(run, selector, metric)
    made, failures = rows["n"].sum(), rows["failures"].sum()
    if made == 0 or (metric.is_latency and made == failures):
        success = "successful " if metric.is_latency and (are_meant or made) else ""
        return None, f"no {success}request to judge"
    return estimate(metric, rows, run), "the files do not tell this figure"


def _from_intervals(statement: Statement, run: Run, window: SteadyState) -> tuple[Estimate | None, str]:
    """Return the estimate from what was recorded in the judged window, or None and why there is none."""
    chosen, why_not = select(statement, run, window)
    if chosen is None:
        return None, why_not
    found = recorded.estimate(statement.recorded, chosen)
    if found is not None and statement.metric.kind is CUSTOM:
        found = found.divided(VALUE_SCALE)
    success = "successful " if statement.metric.is_latency else ""
    return found, f"no {success}{chosen.what} to judge in the judged time"


def _doubt(found: Estimate, judgement: Judgement, duration_s: float | None) -> str:
    """Say why an estimate does not decide, and which length of run would: D * (half / distance)^2."""
    limit = judgement.limit
    if found.needed_n is not None:
        longer = _longer(found.needed_n / found.n, duration_s) if found.n else ""
        target = judgement.threshold.statement.target
        cases = CASES.get(target, "successful requests")
        return f"{found.n} {cases} are too few, {found.needed_n} are needed{longer}"
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
