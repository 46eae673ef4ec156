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
    limits = "1 limit" if len(deciding) == 1 else f"{len(deciding)} limits"
    if verdict["verdict"] == "PASS":
        return "Yes: the only limit holds." if len(deciding) == 1 else f"Yes: all {limits} hold."
    if verdict["verdict"] == "FAIL":
        return f"No: {failed} of {limits} {'is' if failed == 1 else 'are'} broken."
    if not deciding:
        return "Not decided: no threshold can fail this run."
    said = []
    if undecided:
        said.append(f"{undecided} of {limits} {'stays' if undecided == 1 else 'stay'} open")
    if doubts:
        said.append(f"{doubts} {'check' if doubts == 1 else 'checks'} of the run failed")
    return f"Not decided: {' and '.join(said)}."


def deciding_row(rows: Sequence[ThresholdRow]) -> ThresholdRow | None:
    """Return the threshold that decides: the worst one, among passed ones the nearest to its limit."""
    deciding = [row for row in rows if row.level == "fail"]
    return deciding[0] if deciding else None
