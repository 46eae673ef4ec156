"""The capacity in words: between which loads it lies, and what became of each step."""

from dataclasses import dataclass
from typing import Any

from reports.render.wording import duration, plain, quantity


@dataclass(frozen=True)
class StepRow:
    """Hold one step in words."""

    load: str
    stage: str
    time: str
    verdict: str
    reason: str


def capacity_words(capacity: dict[str, Any]) -> str:
    """Return the interval that the capacity lies in, as far as the steps enclose it."""
    passed, failed = (_load(capacity, capacity[end]) for end in ("passed", "failed"))
    if capacity["failed"] is None:
        return (
            "not known: no step passed"
            if capacity["passed"] is None
            else f"at least {passed}: no step failed"
        )
    if capacity["passed"] is None:
        return f"below {failed}, and no lower step passed"
    return f"at least {passed}, where all limits hold, and below {failed}, where one does not"


def step_rows(capacity: dict[str, Any]) -> list[StepRow]:
    """Return the steps by ascending load."""
    return [
        StepRow(
            load=_load(capacity, step["load"]),
            stage=plain(step["stage"], 60),
            time=f"{duration(step['from_s'])} to {duration(step['to_s'])}",
            verdict=step["verdict"],
            reason=plain(step["reason"]),
        )
        for step in sorted(capacity["steps"], key=lambda step: float(step["load"]))
    ]


def _load(capacity: dict[str, Any], load: object) -> str:
    return quantity(load, capacity["unit"])
