"""A test is repeated only for what a disturbed machine may have done to it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest
from tests.fix_bystander import blaming

@pytest.fixture
def calm(bystander, request):
    bystander.__dict__["was_calm"] = request.param  # what the machine is just now is not asked

@pytest.mark.parametrize("calm", [True, False], indirect=True)
@pytest.mark.parametrize("blames", [True, False])
def test(bystander, calm, blames):
    if not blames:
        assert 0 > 1
    with blaming(bystander):
        assert 0 > 1
"""


def test_only_a_disturbed_machine_is_blamed(tmp_path: Path) -> None:
    """Of four failures one blames the machine where that was disturbed: only that one is repeated, twice."""
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "tests.fix_bystander",
        "-o",
        "addopts=",
        "test_it.py",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )

    assert re.findall(r"\[(\w+-\w+)\] RERUN", done.stdout) == ["True-False"] * 2
    assert "4 failed, 2 rerun" in done.stdout, done.stdout + done.stderr
