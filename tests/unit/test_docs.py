"""docs/endings.md names tests, checks and modules that there are; the examples of docs/users.md run."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plimsoll.exit_statuses import EXIT_CRASH
from plimsoll.recording.judging import Judging

ROOT = Path(__file__).parents[2]
CHECKS = {
    name
    for path in ROOT.glob("reports/verdict/checks/*.py")
    for name in re.findall(r'(?:Check|_worst)\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
}
ENDINGS = (ROOT / "docs" / "endings.md").read_text(encoding="utf-8")
ROWS = [line for line in ENDINGS.splitlines() if line.startswith("| ")]
OF_THE_COMMAND = {"verdict_written"}
FACTS = {"run_time", "file_digests", "planned_duration_s", "user_scale", "schema_version"}
EVENTS = {"test_start", "test_stopping", "test_stop", "on_start", "on_stop", "process_exit_code"}


def test_every_test_that_is_named_is_there() -> None:
    """A row is held by a test of the suite, unless it says that it is not held."""
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", ENDINGS)
    assert len(named) > 70
    files = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*/test_*.py")}
    missing = [(file, test) for file, test in named if f"def {test}(" not in files.get(file, "") and test]
    assert not missing
    assert {file for file, _ in named} <= set(files)


def test_every_row_names_a_test() -> None:
    """No row goes without, but the one of code that runs before this suite is called."""
    without = [row for row in ROWS if "`test_" not in row.split("|")[-2] and "| test |" not in row]
    assert [row.split("|")[-2].strip() for row in without] == [
        "not held: nothing of this suite has been called"
    ]


def test_every_check_and_module_that_is_named_is_there() -> None:
    """Checks are those of the judge, and modules files of the suite."""
    why = " ".join(row.split("|")[-3] for row in ROWS)
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", why)) - FACTS - EVENTS - OF_THE_COMMAND
    assert words <= CHECKS
    for module in set(re.findall(r"`((?:reports|plimsoll)(?:\.\w+)+)`", ENDINGS)):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module


def test_every_check_has_a_row() -> None:
    """What can be wrong with a run is there with each of its checks."""
    assert {check for check in CHECKS if f"`{check}`" not in ENDINGS} == set()


def test_every_file_of_a_run_has_a_row() -> None:
    """Damage of each file that a run writes is told of."""
    files = ("run.json", "stages.csv", "health.csv", "intervals.arrow", "thresholds.yaml")
    locusts = tuple(f"locust_{name}.csv" for name in ("stats", "stats_history", "failures", "exceptions"))
    assert [file for file in files + locusts if f"\n| `{file}` |" not in ENDINGS] == []


def test_lines_of_text_are_short() -> None:
    """Outside of tables no line is longer than 140 characters."""
    assert [line for line in ENDINGS.splitlines() if len(line) > 140 and not line.startswith("|")] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_judge_that_is_killed_is_no_verdict(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever ends the judge before its verdict, the status is that of a crash."""
    judging = Judging(tmp_path)
    judging._process.send_signal(number)
    assert judging.wait().exit_status == EXIT_CRASH


def test_the_examples_of_users_run() -> None:
    """Each example of docs/users.md is code that runs, one after the other in a file."""
    users = (ROOT / "docs" / "users.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", users, re.MULTILINE | re.DOTALL)
    code = "\n".join(["import os", *examples])
    settings = os.environ | {"LOCUST_SKIP_MONKEY_PATCH": "", "NEWS_TOKEN": "t"}

    assert len(examples) == 4
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=settings, check=True, timeout=60)
