"""Steps of a search are judged by the code that judges the end of the run, while it goes on."""

from __future__ import annotations

import gevent

import subprocess
from pathlib import Path

import pytest

from plimsoll.recording import judging
from plimsoll.recording.judging import StepJudge
from tests.virtual_time import virtual_time


@pytest.mark.parametrize(
    ("status", "output", "verdict"),
    [(0, '{"step_1": "FAIL"}', "FAIL"), (0, "{}", "INCONCLUSIVE"), (1, "", "INCONCLUSIVE")],
)
def test_verdicts(
    status: int, output: str, verdict: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is none at first, and then what the judge says; one that cannot be reached is open."""
    asked: list[list[str]] = []

    def answer(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        asked.append(arguments)
        return subprocess.CompletedProcess(arguments, status, output, "")

    monkeypatch.setattr(judging, "run_reports", answer)
    with virtual_time():
        judge = StepJudge(tmp_path, recorded_after_s=4.0)
        assert judge("step_1") is None
        gevent.sleep(3.9)
        assert judge("step_1") is None
        gevent.sleep(0.2)
        assert judge("step_1") == judge("step_1") == verdict
    assert asked == [["steps", str(tmp_path)]]
