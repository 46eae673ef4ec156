"""What a threshold can be about: metrics, their units, and how their limits follow the scales of a run."""

import math
from dataclasses import dataclass, replace
from enum import Enum

LATENCY_UNITS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0}
SHARE_UNITS = {"%": 1.0}
RATE_UNITS = {"/s": 1.0, "": 1.0}
COUNT_UNITS = {"": 1.0}
OWN_UNITS = {"": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}
OWN_SCALE = 1e6
"""By how much the recorder multiplies the values of gauges and trends, where latencies are in ms."""


class Scaling(Enum):
    """Say which scales of a run multiply a limit that is stated at full size."""

    NONE = "none"
    USERS = "users"
    USERS_AND_TIME = "users and time"


@dataclass(frozen=True)
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
OWN = Kind("", OWN_UNITS, "a number in the unit of the metric, such as '0.1', or bytes, such as '200 KB'")

KINDS = {
    "mean": LATENCY,
    "max": LATENCY,
    "min": LATENCY,
    "rps": RATE,
    "count": COUNT,
    "failures": COUNT,
    "error_rate": SHARE,
    "response_mean": LATENCY,
    "response_max": LATENCY,
    "busy_mean": LATENCY,
    "busy_max": LATENCY,
    "rate": SHARE,
    "checks": SHARE,
    "dropped": STARTS,
    "late": STARTS,
}
"""Metrics by name; percentiles (`p95`, `response_p95`, `busy_p95`) are latencies too."""

RESPONSE = "response_"
"""Latencies of this prefix count from the intended start of a schedule, all others from the actual one."""
BUSY = "busy_"
"""Times of this prefix are those of the requests in a transaction, without think time."""

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
}
"""Words of other tools, only to point their users to ours."""


@dataclass(frozen=True)
class Metric:
    """Name one metric; `level` is the percentile in per cent (0 < level <= 100), None for the others.

    `is_share` tells of those that are either a number or a share which one is meant, `is_own` of those that
    are of requests or of a journey's own gauges and trends that the latter are.
    """

    name: str
    level: float | None = None
    is_share: bool = False
    is_own: bool = False

    @property
    def kind(self) -> Kind:
        """Return the family the metric belongs to."""
        if self.is_share:
            return SHARE
        if self.is_own:
            return OWN
        return LATENCY if self.level is not None else KINDS[self.name]

    def stated_in(self, unit: str, *, of_names: bool) -> "Metric":
        """Return the metric as the unit of a limit means it; *of_names*: of some names and not of all.

        A limit without a unit of time is one on a metric of the journey's own.
        """
        if self.is_of_schedule and unit in SHARE_UNITS:
            return replace(self, is_share=True)
        may_be_own = of_names and self.name == self.figure and self.kind is LATENCY
        return replace(self, is_own=True) if may_be_own and unit in OWN_UNITS else self

    @property
    def figure(self) -> str:
        """Return the name without what says which time is meant: mean, max."""
        return self.name.removeprefix(RESPONSE).removeprefix(BUSY)

    @property
    def is_busy(self) -> bool:
        """Tell whether the metric is a time of transactions without think time."""
        return self.name.startswith(BUSY)

    @property
    def is_of_metrics(self) -> bool:
        """Tell whether the metric is about a journey's own metrics or checks, and never about requests."""
        return self.is_own or self.name in {"rate", "checks"}

    @property
    def is_response(self) -> bool:
        """Tell whether the metric is a latency from the intended start."""
        return self.name.startswith(RESPONSE)

    @property
    def is_of_schedule(self) -> bool:
        """Tell whether the metric is about the iterations that a schedule wanted started."""
        return self.name in {"dropped", "late"}

    @property
    def is_latency(self) -> bool:
        """Tell whether the metric is a time of successful requests."""
        return self.kind is LATENCY

    @property
    def is_count(self) -> bool:
        """Tell whether the metric is counted over the whole run."""
        return self.kind is COUNT or self.is_of_schedule
