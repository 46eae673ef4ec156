"""The errors a user can cause, each with a text that says what would be right.

ReportError
├── ConfigError   thresholds that cannot be used, with every fault
└── DataError     nothing to judge was found
"""

from collections.abc import Sequence


class ReportError(Exception):
    """Something the user can put right."""


class ConfigError(ReportError):
    """The thresholds cannot be used; `faults` lists everything wrong, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class DataError(ReportError):
    """No readable run was found where one was named."""
