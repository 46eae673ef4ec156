"""The three verdicts and the exit statuses of every command."""

from enum import StrEnum


class Outcome(StrEnum):
    """Name what a threshold or a whole run came to."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


EXIT_STATUS = {Outcome.PASS: 0, Outcome.FAIL: 99, Outcome.INCONCLUSIVE: 77}
"""99 as k6 for failed thresholds, 77 as Automake for "could not be tested"."""

BAD_CONFIGURATION = 2
CRASH = 1
