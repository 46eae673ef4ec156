"""What a threshold says: of a metric of chosen requests, on which side of a limit it must be.

A limit has a unit, and follows the scales of a run.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from plimsoll.run_files.intervals import TAG_SEPARATOR, VALUE_SCALE

LATENCY_UNITS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0}
SHARE_UNITS = {"%": 1.0}
RATE_UNITS = {"/s": 1.0, "": 1.0}
COUNT_UNITS = {"": 1.0}
CUSTOM_UNITS = {"": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}


class Target(Enum):
    """Name what a threshold is about."""

    REQUESTS = "requests"
    ITERATIONS = "iterations"
    TRANSACTIONS = "transactions"
    METRICS = "a journey's own metrics"
    SCHEDULE = "iterations that a schedule wanted started"


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


ALL = "*"
ITERATIONS, TRANSACTIONS = "iteration:", "transaction:"
TARGETS = {ITERATIONS: Target.ITERATIONS, TRANSACTIONS: Target.TRANSACTIONS}


class About(Enum):
    """Name the column that a condition is about."""

    NAME = "name"
    TYPE = "request_type"
    TAG = "tags"
    USER = "user_class"


PREFIXES = {
    ITERATIONS: About.NAME,
    TRANSACTIONS: About.NAME,
    "type:": About.TYPE,
    "tag:": About.TAG,
    "user:": About.USER,
}


@dataclass(frozen=True)
class Condition:
    """Hold a name or a glob, in which `*` is any text and `?` any one character; or what it must not be.

    After `iteration:` it is that of an iteration, `UserClass.task_name`, after `transaction:` that of a
    transaction, and no request is meant; after `type:`, `tag:` and `user:` it is not about the name. Brackets
    are ordinary: names like `/users/[id]` are common.
    """

    text: str
    negated: bool = False

    @property
    def prefix(self) -> str:
        """Return what says what it is about, empty for the name of a request."""
        return next((prefix for prefix in PREFIXES if self.text.startswith(prefix)), "")

    @property
    def about(self) -> About:
        """Return the column that it is about."""
        return PREFIXES.get(self.prefix, About.NAME)

    @property
    def pattern(self) -> str:
        """Return the name or glob itself."""
        return self.text.removeprefix(self.prefix)

    def choose(self, values: Sequence[str]) -> list[str]:
        """Return the values that fit the pattern; one that is equal to it is meant alone."""
        if self.pattern in values:
            return [self.pattern]
        expression = re.escape(self.pattern).replace(r"\*", ".*").replace(r"\?", ".")
        matcher = re.compile(expression, re.DOTALL)
        return [value for value in values if matcher.fullmatch(value)]

    def holds(self, values: Sequence[str]) -> list[bool]:
        """Tell of each value of the column, which for tags may be several, whether the condition holds."""
        if self.about is About.TAG:
            fits = [bool(self.choose(value.split(TAG_SEPARATOR))) for value in values]
        else:
            chosen = set(self.choose(values))
            fits = [value in chosen for value in values]
        return [fit is not self.negated for fit in fits]


@dataclass(frozen=True)
class Selector:
    """Hold alternatives: in one of them all conditions must hold."""

    alternatives: tuple[tuple[Condition, ...], ...]

    @property
    def conditions(self) -> list[Condition]:
        """Return all conditions."""
        return [condition for alternative in self.alternatives for condition in alternative]

    @property
    def pattern(self) -> str:
        """Spell the selector."""
        return " or ".join(
            " and ".join(f"{'not ' * condition.negated}{condition.text}" for condition in alternative)
            for alternative in self.alternatives
        )

    @property
    def target(self) -> Target:
        """Return what is meant; a name of a metric looks like one of a request."""
        prefixes = {condition.prefix for condition in self.conditions}
        return next((target for prefix, target in TARGETS.items() if prefix in prefixes), Target.REQUESTS)

    @property
    def mixes(self) -> bool:
        """Tell whether it names iterations, transactions or requests together, which are not alike."""
        return len({c.prefix for c in self.conditions if c.about is About.NAME}) > 1

    @property
    def is_all(self) -> bool:
        """Tell whether every request is meant."""
        return self == EVERYTHING


def single(text: str) -> Selector:
    """Return the selector of one condition."""
    return Selector(((Condition(text),),))


EVERYTHING = single(ALL)

UPPER_LIMITS = ("<", "<=")


@dataclass(frozen=True)
class Statement:
    """Hold a parsed statement; `limit` is in the unit of the metric's kind.

    `source` is what the user wrote, with secrets masked. A count of requests is
    one of a counter where no request has such a name.
    """

    metric: Metric
    selector: Selector
    target: Target
    operator: str
    limit: float
    source: str = field(compare=False)

    @property
    def recorded(self) -> "Statement":
        """Return the statement with its limit as the recorder has such values: in ms, or scaled."""
        return replace(self, limit=self.limit * VALUE_SCALE) if self.metric.kind is CUSTOM else self

    @property
    def first_value_outside(self) -> float:
        """Return the least value beyond the limit: the limit itself for < and >=, else the next number."""
        return self.limit if self.operator in {"<", ">="} else math.nextafter(self.limit, math.inf)
