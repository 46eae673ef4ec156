"""The three verdicts, and the exit statuses of every command and of a Locust process whose run is judged."""

from enum import IntEnum, StrEnum


class ExitStatus(IntEnum):
    """Name what a process came to: 99 as k6 for failed thresholds, 77 as Automake for what was not tested."""

    PASS = 0
    CRASH = 1
    BAD_CONFIGURATION = 2
    INCONCLUSIVE = 77
    FAIL = 99


VERDICTS = frozenset({ExitStatus.PASS, ExitStatus.FAIL, ExitStatus.INCONCLUSIVE})


class Outcome(StrEnum):
    """Name what a threshold or a whole run came to, as verdict.json has it."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
