"""Test data in real `locust` processes: nobody shares it, and set-up and clean-up frame a run."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from tests.fix_runs import until
from tests.processes import finish, start_locust, two_workers
from tests.students import HEADLESS, Students


def test_two_workers(tmp_path: Path) -> None:
    """63 users on two workers share 60 rows, each once, by three of them ending; it is cleaned up last."""
    students = Students(tmp_path, 60)
    load = ["-u", "63", "-r", "63", "--csv", "run", *two_workers()]
    process = start_locust([*HEADLESS, *load], tmp_path, students.environment())
    until(lambda: len(students.notes("row")) == 60)
    until(lambda: "every row is used" in (tmp_path / "run_exceptions.csv").read_text(encoding="utf-8"))
    process.terminate()
    output = finish(process)

    rows = students.notes("row")
    assert Counter(int(n) for _, n, _ in rows) == dict.fromkeys(range(60), 1)
    assert len({pid for pid, _, _ in rows}) == 2
    assert {school for _, _, school in rows} == {"7"}
    assert output.count("every row is used") == 1
    assert "Traceback" not in output
    assert process.returncode == 1
    assert len(students.notes("up")) == 1
    assert students.notes("down") == [["0"]], output
    assert students.lines()[-1].startswith("down")
    assert len(students.notes("stop")) >= 60


def test_a_second_signal_while_setting_up(tmp_path: Path) -> None:
    """The first Ctrl-C has what is half set up cleaned up, which the second skips; no load is made."""
    students = Students(tmp_path, 60)
    settings = students.environment(RECORDED="yes", SET_UP_S="600", LIMIT_S="600", CLEAN_UP_S="600")
    process = start_locust([*HEADLESS, "-t", "60s"], tmp_path, settings)
    until(lambda: len(students.notes("up")) == 1)
    process.send_signal(signal.SIGINT)
    until(lambda: len(students.notes("down")) == 1)
    process.send_signal(signal.SIGINT)
    output = finish(process)

    assert process.returncode == 77, output
    assert "cleaning up; press Ctrl-C again to skip the clean-up" in output
    assert "verdict" not in output
    assert students.notes("row") == []
