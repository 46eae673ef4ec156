"""The three verdicts, and the exit statuses that tell them."""

from enum import StrEnum

from plimsoll.exit_statuses import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS


class Outcome(StrEnum):
    """Name what a threshold or a whole run came to."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


EXIT_STATUS = {
    Outcome.PASS: EXIT_PASS,
    Outcome.FAIL: EXIT_FAIL,
    Outcome.INCONCLUSIVE: EXIT_INCONCLUSIVE,
}
