"""The metrics that a threshold may be about: their names, units, and clocks."""

import math
import re
from dataclasses import dataclass
from enum import Enum

LATENCY_UNITS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0}
SHARE_UNITS = {"%": 1.0}
RATE_UNITS = {"/s": 1.0, "": 1.0}
COUNT_UNITS = {"": 1.0}
CUSTOM_UNITS = {"": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}


class Clock(Enum):
    """Name which time a latency is, by the prefix of its metric."""

    LATENCY = ""
    """From the actual start to the end."""
    CORRECTED = "corrected_"
    """From the intended start of a schedule: corrected for coordinated omission, as wrk2 says."""
    CUMULATED = "cumulated_"
    """The requests of a transaction added up, without think time, as Gatling says of a group."""


class Scaling(Enum):
    """Say which scales of a run multiply a limit that is stated at full size."""

    NONE = "none"
    USERS = "users"
    USERS_AND_TIME = "users and time"


@dataclass(frozen=True, eq=False)
class Kind:
    """Describe a family of metrics: its unit in the verdict, accepted units and their factors to it.

    No figure of it is above `most`, which a limit must not be either.
    """

    unit: str
    factors: dict[str, float]
    wanted: str
    scaling: Scaling = Scaling.NONE
    most: float = math.inf


LATENCY = Kind("ms", LATENCY_UNITS, "a time in us, ms, s or min, such as '500 ms'")
SHARE = Kind("%", SHARE_UNITS, "per cent, such as '1%' (a bare number could be meant as a ratio)", most=100.0)
RATE = Kind("/s", RATE_UNITS, "a number a second, such as '100/s' or '100'", Scaling.USERS)
COUNT = Kind("", COUNT_UNITS, "a bare number, such as '1000'", Scaling.USERS_AND_TIME)
STARTS = Kind(
    "",
    COUNT_UNITS | SHARE_UNITS,
    "a bare number, such as '10', or per cent of the iterations, such as '1%'",
    Scaling.USERS_AND_TIME,
)
CUSTOM = Kind(
    "", CUSTOM_UNITS, "a number in the unit of the metric, such as '0.1', or bytes, such as '200 KB'"
)

KINDS = {
    "mean": LATENCY,
    "max": LATENCY,
    "min": LATENCY,
    "rps": RATE,
    "count": COUNT,
    "failures": COUNT,
    "error_rate": SHARE,
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

SYNONYMS = {
    "avg": "mean",
    "average": "mean",
    "median": "p50",
    "med": "p50",
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
FORMER_PREFIXES = {"response_": Clock.CORRECTED.value, "busy_": Clock.CUMULATED.value}


@dataclass(frozen=True)
class Metric:
    """Name one metric and its unit; `level` is the percentile in per cent (0 < level <= 100), else None.

    The name alone may leave open which unit is meant: that of the limit says it.
    """

    name: str
    level: float | None
    kind: Kind

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
    percentile = re.fullmatch(rf"(?:{'|'.join(clock.value for clock in Clock)})p(\d+(?:\.\d+)?)", name)
    if percentile is None:
        return Metric(name, None, KINDS[name])
    level = float(percentile[1])
    if not 0 < level <= 100:
        raise ValueError(f"percentile {name!r} is out of range, valid are p0.1 to p100, such as p95 or p99.9")
    return Metric(name, level, LATENCY)
