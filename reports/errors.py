"""The errors a user can cause, each with a text that says what would be right.

ReportError
├── ConfigError   thresholds that cannot be used, with every fault
└── DataError     nothing to judge was found
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
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
        both = [Fault(fault, fault) if isinstance(fault, str) else fault for fault in faults]
        self.faults = tuple(fault.text for fault in both)
        self.unquoted = tuple(fault.unquoted for fault in both)
        super().__init__("\n".join(self.faults))


class DataError(ReportError):
    """No readable run was found where one was named."""


def nearest_hint(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'p95'?` for up to three similar words, or an empty text.

    Case is ignored in the comparison.
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)
    if not close:
        return ""
    return f"; did you mean {' or '.join(repr(by_lower[match]) for match in close)}?"
