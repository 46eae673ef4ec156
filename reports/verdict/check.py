"""One check of whether a run can be trusted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """Hold one check: what was measured, what it is held against, and why it failed."""

    check: str
    value: float | None
    limit: float | None
    ok: bool
    reason: str = ""
