"""The sentence under the verdict: may I ship, and which limit decides."""

from collections.abc import Sequence
from typing import Any

from reports.render.threshold_rows import ThresholdRow

GLYPHS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?"}


def answer(verdict: dict[str, Any], rows: Sequence[ThresholdRow]) -> str:
    """Return the verdict as a sentence: how many limits hold, are broken or stay open."""
    deciding = [row for row in rows if row.level == "fail"]
    failed = sum(row.verdict == "FAIL" for row in deciding)
    undecided = sum(row.verdict == "INCONCLUSIVE" for row in deciding)
    doubts = sum(not check["ok"] for check in verdict["validity"])
    if verdict["verdict"] == "PASS":
        return f"Yes: {_limits(len(deciding), 'holds', 'hold', every=True)}."
    if verdict["verdict"] == "FAIL":
        return f"No: {failed} of {_limits(len(deciding), 'is broken', 'are broken')}."
    if not deciding:
        return "Not decided: nothing was judged, because no threshold can fail this run."
    parts = [f"{undecided} of {_limits(len(deciding), 'stays open', 'stay open')}"] if undecided else []
    parts += [f"{doubts} {'check' if doubts == 1 else 'checks'} of the run failed"] if doubts else []
    return f"Not decided: {' and '.join(parts) or 'see the reasons'}."


def _limits(n: int, one: str, many: str, *, every: bool = False) -> str:
    if every:
        return f"the only limit {one}" if n == 1 else f"all {n} limits {many}"
    return f"1 limit {one}" if n == 1 else f"{n} limits {many}"


def deciding_row(rows: Sequence[ThresholdRow]) -> ThresholdRow | None:
    """Return the threshold that decides: the worst one, among passed ones the nearest to its limit."""
    deciding = [row for row in rows if row.level == "fail"]
    return deciding[0] if deciding else None
