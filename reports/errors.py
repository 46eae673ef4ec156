"""The errors a user can cause, each with a text that says what would be right.

ReportError
├── ConfigError   thresholds that cannot be used, with every fault
└── DataError     nothing to judge was found
"""

from collections.abc import Sequence
from typing import NamedTuple


class ReportError(Exception):
    """Something the user can put right."""


class Fault(NamedTuple):
    """One fault of a file: `text` may quote the file, `unquoted` has nothing of it but valid statements."""

    text: str
    unquoted: str


class ConfigError(ReportError):
    """The thresholds cannot be used; `faults` lists everything wrong, one line each."""

    def __init__(self, faults: Sequence[Fault | str]) -> None:
        told = [Fault(fault, fault) if isinstance(fault, str) else fault for fault in faults]
        self.faults = tuple(fault.text for fault in told)
        self.unquoted = tuple(fault.unquoted for fault in told)
        super().__init__("\n".join(self.faults))


class DataError(ReportError):
    """No readable run was found where one was named."""
