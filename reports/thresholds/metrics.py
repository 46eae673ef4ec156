"""The words of metrics, and the kinds of figures: units, bounds, and what arithmetic makes of them."""

import math
import re
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import NamedTuple

LATENCY_UNITS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0}
DURATION_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
SHARE_UNITS = {"%": 1.0}
RATE_UNITS = {"/s": 1.0, "": 1.0}
COUNT_UNITS = {"": 1.0}
BYTE_UNITS = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}
BYTE_RATE_UNITS = {f"{unit}/s": factor for unit, factor in BYTE_UNITS.items()}
CUSTOM_UNITS = COUNT_UNITS | BYTE_UNITS
PER_HOUR = {"h": 1.0, "min": 60.0}
"""How often these times are in an hour: slopes are per hour."""


class Scaling(Enum):
    """Say which scales of a run multiply a limit that is stated at full size."""

    NONE = "none"
    USERS = "users"
    USERS_AND_TIME = "users and time"


@dataclass(frozen=True, eq=False)
class Kind:
    """Describe a family of figures: its unit in the verdict, accepted units and their factors to it.

    No figure of it is below `min_` or above `max_`, which a limit must not be either.
    """

    unit: str
    factors: dict[str, float]
    wanted: str
    scaling: Scaling = Scaling.NONE
    max_: float = math.inf
    min_: float = 0.0

    def shown(self, number: float) -> str:
        """Return a number with the unit."""
        return f"{number:.10g}{' ' if self.unit[:1].isalpha() else ''}{self.unit}"


LATENCY = Kind("ms", LATENCY_UNITS, "a time in us, ms, s or min, such as '500 ms'")
DURATION = Kind("s", DURATION_UNITS, "a time in ms, s, min or h, such as '10 s'")
SHARE = Kind("%", SHARE_UNITS, "per cent, such as '1%' (a bare number could be meant as a ratio)", max_=100.0)
PERCENT = Kind("%", SHARE_UNITS, "per cent, such as '20%'")
RISE = Kind("%", SHARE_UNITS, "per cent, such as '20%'", min_=-math.inf)
RATE = Kind("/s", RATE_UNITS, "a number a second, such as '100/s' or '100'", Scaling.USERS)
COUNT = Kind("", COUNT_UNITS, "a bare number, such as '1000'", Scaling.USERS_AND_TIME)
STARTS = Kind(
    "",
    COUNT_UNITS | SHARE_UNITS,
    "a bare number, such as '10', or per cent of the iterations, such as '1%'",
    Scaling.USERS_AND_TIME,
)
BYTES = Kind("B", BYTE_UNITS, "bytes in B, KB, MB or GB, such as '10 MB'", Scaling.USERS_AND_TIME)
BYTE_RATE = Kind(
    "B/s", BYTE_RATE_UNITS, "bytes a second in B/s, KB/s, MB/s or GB/s, such as '5 MB/s'", Scaling.USERS
)
CUSTOM = Kind(
    "", CUSTOM_UNITS, "a number in the unit of the metric, such as '0.1', or bytes, such as '200 KB'"
)
APDEX = Kind("", COUNT_UNITS, "a number from 0 to 1, such as '0.9'", max_=1.0)
RATIO = Kind("", COUNT_UNITS | {"%": 0.01}, "a bare number, such as '1.5', or per cent, such as '150%'")
NUMBER = Kind("", COUNT_UNITS, "a bare number, such as '2'")
SAMPLED_COUNT = Kind("", COUNT_UNITS, "a bare number, such as '100'")
SAMPLED_BYTES = Kind("B", BYTE_UNITS, BYTES.wanted)
SAMPLED_TIME = Kind("ms", LATENCY_UNITS, LATENCY.wanted)

KINDS = {
    "mean": LATENCY,
    "max": LATENCY,
    "min": LATENCY,
    "stdev": LATENCY,
    "variation": PERCENT,
    "rps": RATE,
    "count": COUNT,
    "failures": COUNT,
    "error_rate": SHARE,
    "bytes": BYTES,
    "bytes_per_s": BYTE_RATE,
    "corrected_mean": LATENCY,
    "corrected_max": LATENCY,
    "cumulated_mean": LATENCY,
    "cumulated_max": LATENCY,
    "rate": SHARE,
    "checks": SHARE,
    "dropped_iterations": STARTS,
    "late_iterations": STARTS,
}
"""Metrics by name; percentiles (`p95`, `corrected_p95`, `cumulated_p95`) are latencies too."""
APDEX_NAME, RECOVERY, DEGRADATION, SLOPE = "apdex", "recovery", "degradation", "slope"
FUNCTIONS = ("apdex(TIME)", "recovery after STAGE", "degradation of METRIC", "slope of METRIC")
OF_SCHEDULE = frozenset({"dropped_iterations", "late_iterations"})
BAD_IF_HIGH = frozenset({"mean", "max", "stdev", "variation", "failures", "error_rate", *OF_SCHEDULE})
"""Less is better of these, as of percentiles, recovery, degradation and slope."""

SYNONYMS = {
    "avg": "mean",
    "average": "mean",
    "median": "p50",
    "med": "p50",
    "stddev": "stdev",
    "errors": "failures",
    "error_ratio": "error_rate",
    "fail_ratio": "error_rate",
    "failure_rate": "error_rate",
    "requests": "count",
    "throughput": "rps",
    "dropped": "dropped_iterations",
    "late": "late_iterations",
}
"""Words of other tools and of earlier versions, only to point their users to ours."""


class Clock(Enum):
    """Name which time a latency is, by the prefix of its metric."""

    LATENCY = ""
    """From the actual start to the end."""
    CORRECTED = "corrected_"
    """From the intended start of a schedule: corrected for coordinated omission, as wrk2 says."""
    CUMULATED = "cumulated_"
    """The requests of a transaction added up, without think time, as Gatling says of a group."""


FORMER_PREFIXES = {"response_": Clock.CORRECTED.value, "busy_": Clock.CUMULATED.value}


@dataclass(frozen=True)
class Metric:
    """Name one metric and its unit; `level` is the percentile in per cent (0 < level <= 100), else None.

    The name alone may leave open which unit is meant: that of the limit says it. `of` is the metric whose
    degradation or slope is meant, None for that of a sampled series; `satisfied_ms` is the T of apdex.
    """

    name: str
    level: float | None
    kind: Kind
    of: "Metric | None" = None
    satisfied_ms: float | None = None

    @property
    def clock(self) -> Clock:
        """Return which time it is, where it is one."""
        return next(
            (clock for clock in Clock if clock.value and self.name.startswith(clock.value)), Clock.LATENCY
        )

    @property
    def figure(self) -> str:
        """Return the name without its clock: p95, mean, max."""
        return self.name.removeprefix(self.clock.value)

    @property
    def is_latency(self) -> bool:
        """Tell whether it is a time of successes."""
        return self.kind is LATENCY


def metric_of(name: str) -> Metric:
    """Return the metric of a name.

    Raises KeyError for one that is not known, ValueError for a level out of range.
    """
    percentile = re.fullmatch(rf"(?:{'|'.join(clock.value for clock in Clock)})p([0-9]+(?:\.[0-9]+)?)", name)
    if percentile is None:
        return Metric(name, None, KINDS[name])
    level = float(percentile[1])
    if not 0 < level <= 100:
        raise ValueError(f"percentile {name!r} is out of range, valid are p0.1 to p100, such as p95 or p99.9")
    return Metric(name, level, LATENCY)


class Series(NamedTuple):
    """Describe what is sampled every second: the column of its file, the kind, and the factor to its unit."""

    column: str
    kind: Kind
    factor: float = 1.0


SERIES = {
    "generator.cpu": Series("cpu_ratio", PERCENT, 100.0),
    "generator.host_cpu": Series("host_cpu_ratio", PERCENT, 100.0),
    "generator.steal": Series("steal_ratio", PERCENT, 100.0),
    "generator.wait": Series("wait_ratio", PERCENT, 100.0),
    "generator.memory": Series("rss_bytes", SAMPLED_BYTES),
    "generator.lag_p50": Series("lag_p50_ms", SAMPLED_TIME),
    "generator.lag_p99": Series("lag_p99_ms", SAMPLED_TIME),
    "generator.lag_max": Series("lag_max_ms", SAMPLED_TIME),
    "generator.users": Series("users", SAMPLED_COUNT),
    "generator.in_flight": Series("in_flight", SAMPLED_COUNT),
    "service.cpu": Series("cpu_ratio", PERCENT, 100.0),
    "service.memory": Series("rss_bytes", SAMPLED_BYTES),
    "postgres.connections": Series("connections", SAMPLED_COUNT),
    "postgres.active": Series("active", SAMPLED_COUNT),
    "postgres.idle_in_transaction": Series("idle_in_transaction", SAMPLED_COUNT),
    "postgres.waiting": Series("waiting", SAMPLED_COUNT),
    "postgres.blocked": Series("blocked", SAMPLED_COUNT),
    "postgres.idle_in_transaction_max": Series("idle_in_transaction_max_s", SAMPLED_TIME, 1000.0),
    "postgres.active_max": Series("active_max_s", SAMPLED_TIME, 1000.0),
}
"""Sampled series by name. Those of the generator are of health.csv, of each of its processes, and those of
PostgreSQL of postgres.csv."""


@cache
def slope_kind(kind: Kind) -> Kind:
    """Return the kind of a change over time, per hour."""
    factors = {
        f"{unit}/{time}": factor * times
        for unit, factor in kind.factors.items()
        for time, times in PER_HOUR.items()
    }
    unit = f"{kind.unit}/h"
    wanted = f"a change over time in {', '.join(factors)}"
    return Kind(unit, factors, wanted, min_=-math.inf)


@cache
def combined(left: Kind, sign: str, right: Kind) -> Kind:
    """Return the kind of a sum, difference, product or quotient.

    Raises ValueError where the units, or the scales that their limits follow, do not go together.
    """
    left, right = (COUNT if kind is STARTS else kind for kind in (left, right))
    min_ = -math.inf if sign == "-" or min(left.min_, right.min_) < 0 else 0.0
    is_alike = left.unit == right.unit and left.scaling is right.scaling
    if sign in {"+", "-"} and is_alike:
        # Neither bound holds any more, and a sum is no latency whose requests can be counted over a limit.
        factors = {unit: factor for unit, factor in left.factors.items() if right.factors.get(unit) == factor}
        return replace(left, factors=factors, max_=math.inf, min_=min_)
    if sign == "/" and is_alike and left is not NUMBER:
        return replace(RATIO, min_=min_)
    if sign == "*" and not left.unit and left.scaling is Scaling.NONE:
        left, right = right, left
    if sign in {"*", "/"} and not right.unit and right.scaling is Scaling.NONE:
        return replace(left, max_=math.inf, min_=min_)
    if sign == "/" and not right.unit and right.scaling is left.scaling:
        return replace(left, scaling=Scaling.NONE, min_=min_)
    raise ValueError(
        f"{_described(left)} {sign} {_described(right)} has no unit; valid are + and - of the same unit, / of"
        " the same unit or by a count of the same scale, and * and / with a plain number"
    )


def _described(kind: Kind) -> str:
    return kind.unit or {Scaling.NONE: "a plain number"}.get(kind.scaling, "a count")
