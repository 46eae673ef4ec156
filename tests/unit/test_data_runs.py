"""Test data in whole runs under virtual time: nobody shares it, and set-up and clean-up frame every run."""

from __future__ import annotations

import gevent

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.in_process import Ended, Live, run_locust
from tests.students import HEADLESS, Students


@pytest.fixture
def students(tmp_path: Path) -> Students:
    """Return students with 60 rows."""
    return Students(tmp_path, 60)


def run(
    students: Students, *options: str, meanwhile: Callable[[Live], object] | None = None, **settings: str
) -> Ended:
    """Run the students to their end."""
    with patch.dict(os.environ, students.environment(**settings)):
        return run_locust([*HEADLESS, *options], students.folder, meanwhile)


def test_each_row_is_fed_once(students: Students) -> None:
    """60 users get each of 60 rows once, and all know what was set up."""
    ended = run(students, "-u", "60", "-r", "60", "-t", "5s")
    rows = students.notes("row")

    assert ended.status == 0, ended.output
    assert Counter(int(n) for _, n, _ in rows) == dict.fromkeys(range(60), 1)
    assert {school for _, _, school in rows} == {"7"}
    assert (len(students.notes("up")), students.notes("down")) == (1, [["0"]])


def test_users_beyond_the_last_row_end(students: Students) -> None:
    """63 users share 60 rows by three of them ending, which is said once and counted as an exception."""
    ended = run(students, "-u", "63", "-r", "63", "-t", "5s", "--csv", "run")

    assert ended.status == 1
    assert ended.output.count("all rows used") == 1
    assert "Traceback" not in ended.output
    assert len(students.notes("row")) == 60
    assert "all rows used" in (students.folder / "run_exceptions.csv").read_text(encoding="utf-8")


def test_random_rows_hang_on_the_seed(tmp_path: Path) -> None:
    """The same seed feeds the same rows; another feeds others."""
    drawn = []
    for number, seed in enumerate(("7", "7", "8")):
        (tmp_path / str(number)).mkdir()
        fed = Students(tmp_path / str(number), 60, 'Feeder.csv("rows.csv", "random")')
        run(fed, "-u", "12", "-r", "12", "-t", "5s", "--seed", seed)
        drawn.append([n for _, n, _ in fed.notes("row")])

    assert len(drawn[0]) == 12
    assert drawn[0] == drawn[1] != drawn[2]


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    """A file that is not there ends with status 2 and one line, before anything is set up."""
    fed = Students(tmp_path, 60, 'Feeder.csv("no.csv", "unique")')
    ended = run(fed, "-t", "2s")

    assert ended.status == 2
    assert "plimsoll: csv no.csv: No such file or directory" in ended.output
    assert fed.notes("up") == []


@pytest.mark.parametrize(
    ("settings", "reason", "elapsed_s"),
    [
        ({"FAIL": "1"}, "OSError: no such school", 0),
        ({"SET_UP_S": "9", "LIMIT_S": "0.3"}, "it takes longer than 0.3 s", 0.3),
    ],
    ids=["fails", "hangs"],
)
def test_a_set_up_that_fails(
    students: Students, settings: dict[str, str], reason: str, elapsed_s: float
) -> None:
    """It ends the run with status 1 and a line, cleaned up, and no user starts."""
    ended = run(students, "-u", "4", "-t", "20s", meanwhile=None, **settings)

    assert (ended.status, ended.elapsed_s) == (1, elapsed_s)
    assert f"plimsoll: set-up 'students.account' failed: {reason}" in ended.output
    assert "Traceback" not in ended.output
    assert [len(students.notes(word)) for word in ("up", "down", "row")] == [1, 1, 0]


def heard(number: signal.Signals) -> dict[str, str]:
    """Return the settings of a run that cannot miss a signal.

    Locust leaves SIGINT to Python, which raises it in whatever greenlet runs; some take no notice.
    """
    return {"RECORDED": "1"} if number is signal.SIGINT else {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("files", ["students.py", "students.py,shape.py"])
def test_a_signal_does_not_keep_from_cleaning_up(
    students: Students, number: signal.Signals, files: str
) -> None:
    """However a run ends, it is cleaned up once, and after the last user has stopped."""

    def stop(live: Live) -> None:
        gevent.sleep(5)
        live.send(number)

    ended = run(students, "-u", "6", "-r", "6", "-f", files, meanwhile=stop, **heard(number))

    assert students.notes("down") == [["0"]], ended.output
    assert students.lines()[-1].startswith("down")
    assert len(students.notes("stop")) == len(students.notes("row")) >= 6


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 1), (signal.SIGINT, 77)])
def test_a_signal_while_setting_up(students: Students, number: signal.Signals, status: int) -> None:
    """What is half set up is cleaned up, and no load is made; where it is recorded, nothing was shown."""

    def stop(live: Live) -> None:
        gevent.sleep(5)
        live.send(number)

    ended = run(students, "-t", "60s", meanwhile=stop, SET_UP_S="30", LIMIT_S="30", **heard(number))

    assert ended.status == status
    assert "stopped while setting up; no load was made" in ended.output
    assert students.notes("row") == []
    assert len(students.notes("down")) == 1


def run_web(students: Students, *options: str, meanwhile: Callable[[Live], object], **settings: str) -> None:
    """Run the students' web UI until *meanwhile* is over."""

    def go_on(live: Live) -> None:
        meanwhile(live)
        live.stop()

    command = ["-f", "students.py", "--web-host", "127.0.0.1", "--web-port", "0", *options]
    with patch.dict(os.environ, students.environment(**settings)):
        run_locust(command, students.folder, go_on)


@pytest.mark.parametrize("shape", [[], ["-f", "students.py,shape.py"]], ids=["users", "shape"])
def test_each_run_of_the_web_ui_is_set_up(students: Students, shape: list[str]) -> None:
    """Whoever asks for a load is answered when it is set up; once stopped, it is cleaned up, each time."""
    counts = []

    def run_twice(live: Live) -> None:
        for _ in range(2):
            assert live.post("/swarm", user_count="4", spawn_rate="4")["success"]
            counts.append(len(students.notes("up")))
            gevent.sleep(5)
            live.post("/stop")
            counts.append(len(students.notes("down")))

    run_web(students, *shape, meanwhile=run_twice, SET_UP_S="0.3")

    assert counts == [1, 1, 2, 2]
    assert len(students.notes("row")) >= 8
    assert len(students.notes("down")) == 2


def test_the_run_time_of_the_web_ui_is_that_of_the_load(students: Students) -> None:
    """A set-up of two seconds takes nothing of a run of ten."""
    stopped_s = []

    def run_once(live: Live) -> None:
        live.post("/swarm", user_count="4", spawn_rate="4", run_time="10s")
        while not students.notes("stop"):
            gevent.sleep(0.01)
        stopped_s.append(live.clock.elapsed_s)

    run_web(students, meanwhile=run_once, SET_UP_S="2")

    assert stopped_s == [pytest.approx(12, abs=0.02)]


def test_the_web_ui_says_why_a_set_up_failed(students: Students) -> None:
    """The answer to whoever asked for a load has the reason, and no user starts."""
    answers = []
    run_web(
        students,
        meanwhile=lambda live: answers.append(live.post("/swarm", user_count="4", spawn_rate="4")),
        FAIL="1",
    )

    assert answers == [
        {"success": False, "message": "set-up 'students.account' failed: OSError: no such school"}
    ]
    assert students.notes("row") == []


@pytest.mark.parametrize(
    ("wrong", "status", "reason"),
    [
        ("", 77, "no thresholds: nothing was judged"),
        ("one school is missing", 99, "'schools stay' does not hold: one school is missing"),
    ],
)
def test_an_invariant_decides(students: Students, wrong: str, status: int, reason: str) -> None:
    """A run in which data are lost FAILs without any limit, and says in its headline what is wrong."""
    file = students.folder / "students.py"
    invariant = f"\n@account.invariant('schools stay')\ndef stay(environment):\n    return {wrong!r}\n"
    file.write_text(file.read_text(encoding="utf-8") + invariant, encoding="utf-8")
    ended = run(students, "-u", "2", "-r", "2", "-t", "8s", RECORDED="yes")

    assert ended.status == status, ended.output
    assert reason in " ".join(ended.output.split())
    assert ended.output.count("No: 'schools stay' does not hold: one school is missing.") == bool(wrong)
