"""What a threshold selects: requests, iterations, transactions or metrics, by name, type, tag and user."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from plimsoll.run_files.intervals import TAG_SEPARATOR


class Target(Enum):
    """Name what a threshold is about."""

    REQUESTS = "requests"
    ITERATIONS = "iterations"
    TRANSACTIONS = "transactions"
    METRICS = "a journey's own metrics"
    SCHEDULE = "iterations that a schedule wanted started"
    SERIES = "what is sampled every second"


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


def fitting(pattern: str, values: Sequence[str]) -> list[str]:
    """Return the values that fit a name or glob; one that is equal to it is meant alone."""
    if pattern in values:
        return [pattern]
    matcher = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
    return [value for value in values if matcher.fullmatch(value)]


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
        return fitting(self.pattern, values)

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
