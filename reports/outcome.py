"""The three verdicts."""

from enum import StrEnum


class Outcome(StrEnum):
    """Name what a threshold or a whole run came to."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
