"""Test data in real `locust` processes: nobody shares it, and set-up and clean-up frame every run."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from locustfiles.school._accounts import generated_accounts
from locustfiles.volume import VolumeUser
from tests import plain_http
from tests.fix_runs import ROOT, until
from tests.fix_target import TargetProcess
from tests.journeys import Hasty, run_hastily
from tests.processes import finish, free_port, start_locust, two_workers

# Each user notes the row it gets, and by which process; each process appends whole lines to the same file.
LOCUSTFILE = """
from locust import User, constant, task
import os, time
from plimsoll.data import Feeder, set_up

if os.environ.get("RECORDED"):
    from telemetry.switch import record_run
    record_run()

def note(*words):
    with open(os.environ["NOTES"], "a") as notes:
        print(*words, file=notes)

@set_up(limit_s=float(os.environ.get("LIMIT_S", 10)))
def account(environment):
    note("up", os.getpid())
    try:
        time.sleep(float(os.environ.get("SET_UP_S", 0)))
        if os.environ.get("FAIL"):
            raise OSError("no such school")
        yield {"school": 7}
    finally:
        note("down", environment.runner.user_count)
        time.sleep(float(os.environ.get("CLEAN_UP_S", 0)))

class Student(User):
    host = "http://127.0.0.1:1"
    wait_time = constant(0.1)
    rows = ROWS

    def on_start(self):
        self.environment.school = account.result["school"]
        note("row", os.getpid(), self.rows.next()["n"], self.environment.school)

    def on_stop(self):
        note("stop")

    @task
    def study(self):
        pass
"""
SHAPE = """
from locust import LoadTestShape

class Endless(LoadTestShape):
    def tick(self):
        return (4 + int(self.get_run_time()), 10)
"""


class Notes:
    """What the processes of a run have noted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, word: str) -> list[list[str]]:
        """Return the notes that begin with a word, without it."""
        if not self.path.exists():
            return []
        lines = [line.split() for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [line[1:] for line in lines if line[0] == word]


class Class:
    """Runs students in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes = folder, Notes(folder / "notes")

    def start(
        self, *options: str, feeder: str = 'Feeder.csv("rows.csv", "unique")', **environment: str
    ) -> subprocess.Popen[str]:
        """Start Locust with these options."""
        (self.folder / "students.py").write_text(LOCUSTFILE.replace("ROWS", feeder), encoding="utf-8")
        settings = {"NOTES": str(self.notes.path), "PYTHONPATH": str(ROOT), **environment}
        return start_locust(["-f", "students.py", *options], self.folder, settings)

    def run(self, *options: str, **settings: str) -> tuple[int, str]:
        """Run Locust headless to its end; return its exit status and what it printed."""
        process = self.start("--headless", "--only-summary", *options, **settings)
        output = finish(process)
        return process.returncode, output

    def run_until_fed(self, users: int, *options: str, **settings: str) -> tuple[int, str]:
        """Run as many users, end the run when each has its row; return exit status and output."""
        load = ("-u", str(users), "-r", str(users), "-t", "60s")
        process = self.start("--headless", "--only-summary", *load, *options, **settings)
        until(partial(_has_started, self.notes, users))
        process.terminate()
        output = finish(process)
        return process.returncode, output

    def rows(self, number: int) -> None:
        """Write a file of so many rows."""
        (self.folder / "rows.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(number)))


@pytest.fixture
def students(tmp_path: Path) -> Class:
    """Return students with 60 rows."""
    school = Class(tmp_path)
    school.rows(60)
    return school


def test_no_row_is_fed_twice_on_two_workers(students: Class) -> None:
    """60 users on two workers get each of 60 rows once, and all know what was set up."""
    status, output = students.run_until_fed(60, *two_workers())

    rows = students.notes.of("row")
    assert status == 0, output
    assert Counter(int(n) for _, n, _ in rows) == dict.fromkeys(range(60), 1)
    assert len({pid for pid, _, _ in rows}) == 2
    assert {school for _, _, school in rows} == {"7"}
    assert [len(students.notes.of(word)) for word in ("up", "down")] == [1, 1]


def test_users_beyond_the_last_row_end(students: Class) -> None:
    """63 users share 60 rows by three of them ending, which is said once and counted as an exception."""
    status, output = students.run("-u", "63", "-r", "63", "-t", "5s", "--csv", "run", *two_workers())

    assert status == 1
    assert output.count("every row is used") == 1
    assert "Traceback" not in output
    assert len(students.notes.of("row")) == 60
    assert "every row is used" in (students.folder / "run_exceptions.csv").read_text(encoding="utf-8")


def test_a_killed_worker_takes_its_rows_with_it(students: Class) -> None:
    """A worker that takes the place of a killed one gets rows that nobody had, and so do those that stay."""
    port = str(free_port())
    students.rows(5000)
    master = ["--master-bind-port", port, "--expect-workers", "2", "--enable-rebalancing"]
    start = students.start
    process = start("--headless", "--only-summary", "--master", *master, "-u", "40", "-r", "40", "-t", "60s")
    workers = [start("--worker", "--master-port", port) for _ in range(2)]
    until(lambda: len(students.notes.of("row")) == 40)
    workers[0].kill()
    workers.append(start("--worker", "--master-port", port))
    until(lambda: str(workers[2].pid) in {pid for pid, *_ in students.notes.of("row")})
    process.terminate()
    finish(process)

    rows = students.notes.of("row")
    assert len({n for _, n, _ in rows}) == len(rows) > 40
    for worker in workers:
        finish(worker)


def test_random_rows_hang_on_the_seed(students: Class) -> None:
    """The same seed feeds the same rows to one process and to two workers; another feeds others."""
    drawn = []
    for seed, where in (("7", []), ("7", two_workers()), ("8", [])):
        students.notes.path.unlink(missing_ok=True)
        feeder = 'Feeder.csv("rows.csv", "random")'
        students.run_until_fed(12, "--seed", seed, *where, feeder=feeder)
        drawn.append(Counter(n for _, n, _ in students.notes.of("row")))

    assert drawn[0] != drawn[2]
    assert sum(drawn[1].values()) == 12


def test_rows_of_a_query(students: Class, database_url: str) -> None:
    """The master asks the database once, after the set-up; users get values that JSON holds."""
    query = "SELECT n::text || current_date::text AS n FROM generate_series(1, 4) n ORDER BY 1"
    status, output = students.run_until_fed(
        4,
        *two_workers(),
        feeder=f'Feeder.sql("{query}", "unique")',
        DATABASE_URL=database_url,
    )

    assert status == 0, output
    assert sorted(n[0] for _, n, _ in students.notes.of("row")) == ["1", "2", "3", "4"]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_wrong_files_are_refused(students: Class) -> None:
    """A file that is not there ends with status 2 and one line, before anything is set up."""
    status, output = students.run("-t", "2s", feeder='Feeder.csv("no.csv", "unique")')

    assert status == 2
    assert "plimsoll: csv no.csv: No such file or directory" in output
    assert students.notes.of("up") == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"FAIL": "1"}, "OSError: no such school"),
        ({"SET_UP_S": "9", "LIMIT_S": "0.3"}, "it takes longer than 0.3 s"),
    ],
    ids=["fails", "hangs"],
)
@pytest.mark.parametrize("where", ["one process", "two workers"])
def test_a_set_up_that_fails(students: Class, settings: dict[str, str], reason: str, where: str) -> None:
    """It ends the run with status 1 and a line, cleaned up, and no user starts."""
    workers = two_workers() if where == "two workers" else []
    status, output = students.run("-u", "4", "-t", "20s", *workers, **settings)

    assert status == 1
    assert f"plimsoll: set-up 'students.account' failed: {reason}" in output
    assert "Traceback" not in output
    assert [len(students.notes.of(word)) for word in ("up", "down", "row")] == [1, 1, 0]


def heard(number: signal.Signals) -> dict[str, str]:
    """Return the settings of a run that cannot miss a signal.

    Locust leaves SIGINT to Python, which raises it in whatever greenlet runs; some take no notice.
    """
    return {"RECORDED": "1"} if number is signal.SIGINT else {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("where", ["one process", "two workers", "shape"])
def test_a_signal_does_not_keep_from_cleaning_up(students: Class, number: signal.Signals, where: str) -> None:
    """However a run ends, it is cleaned up once, and after the last user has stopped."""
    options = two_workers() if where == "two workers" else []
    files = "students.py,shape.py" if where == "shape" else "students.py"
    (students.folder / "shape.py").write_text(SHAPE, encoding="utf-8")
    load = ("--headless", "--only-summary", "-u", "6", "-r", "6", "-t", "60s")
    process = students.start(*load, *options, "-f", files, **heard(number))
    until(lambda: len(students.notes.of("row")) >= 4)
    process.send_signal(number)
    output = finish(process)

    assert students.notes.of("down") == [["0"]], output
    lines = students.notes.path.read_text(encoding="utf-8").split("\n")
    assert lines[-2].startswith("down")
    assert len(students.notes.of("stop")) == len(students.notes.of("row"))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 1), (signal.SIGINT, 77)])
def test_a_signal_while_setting_up(students: Class, number: signal.Signals, status: int) -> None:
    """What is half set up is cleaned up, and no load is made; where it is recorded, nothing was shown."""
    process = students.start("--headless", "-t", "60s", SET_UP_S="30", LIMIT_S="30", **heard(number))
    until(lambda: len(students.notes.of("up")) == 1)
    process.send_signal(number)
    output = finish(process)

    assert process.returncode == status
    assert "stopped while setting up; no load was made" in output
    assert students.notes.of("row") == []
    assert len(students.notes.of("down")) == 1


def test_a_second_signal_while_setting_up(students: Class) -> None:
    """Before a run the first Ctrl-C speaks of the clean-up, which the second skips."""
    slow = {"SET_UP_S": "60", "LIMIT_S": "60", "CLEAN_UP_S": "60"}
    process = students.start("--headless", "-t", "60s", RECORDED="yes", **slow)
    until(lambda: len(students.notes.of("up")) == 1)
    process.send_signal(signal.SIGINT)
    until(lambda: len(students.notes.of("down")) == 1)
    process.send_signal(signal.SIGINT)
    output = finish(process, timeout_s=30)

    assert process.returncode == 77, output
    assert "cleaning up; press Ctrl-C again to skip the clean-up" in output
    assert "verdict" not in output


@pytest.mark.parametrize("shape", [[], ["-f", "students.py,shape.py"]], ids=["users", "shape"])
def test_each_run_of_the_web_ui_is_set_up(students: Class, shape: list[str]) -> None:
    """Whoever asks for a load is answered when it is set up; once stopped, it is cleaned up, each time."""
    (students.folder / "shape.py").write_text(SHAPE, encoding="utf-8")
    port = free_port()
    process = students.start("--web-host", "127.0.0.1", "--web-port", str(port), *shape, SET_UP_S="0.3")
    with plain_http.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:
        until(lambda: _answers(browser))
        for run in (1, 2):
            form = {"user_count": "4", "spawn_rate": "4"}
            assert browser.post("/swarm", data=form).json()["success"]
            assert len(students.notes.of("up")) == run
            until(partial(_has_started, students.notes, 4 * run))
            browser.post("/stop")
            assert len(students.notes.of("down")) == run
    process.terminate()
    finish(process)

    assert len(students.notes.of("down")) == 2


def test_the_run_time_of_the_web_ui_is_that_of_the_load(students: Class) -> None:
    """A set-up of two seconds takes nothing of a run of one."""
    port = free_port()
    process = students.start("--web-host", "127.0.0.1", "--web-port", str(port), SET_UP_S="2")
    with plain_http.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:
        until(lambda: _answers(browser))
        browser.post("/swarm", data={"user_count": "4", "spawn_rate": "4", "run_time": "1s"})
        until(lambda: len(students.notes.of("stop")) == 4)
    process.terminate()
    finish(process)

    assert len(students.notes.of("row")) == 4


def test_the_web_ui_says_why_a_set_up_failed(students: Class) -> None:
    """The answer to whoever asked for a load has the reason, and no user starts."""
    port = free_port()
    process = students.start("--web-host", "127.0.0.1", "--web-port", str(port), FAIL="1")
    with plain_http.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:
        until(lambda: _answers(browser))
        answer = browser.post("/swarm", data={"user_count": "4", "spawn_rate": "4"}).json()
    process.terminate()
    finish(process)

    assert answer == {
        "success": False,
        "message": "set-up 'students.account' failed: OSError: no such school",
    }
    assert students.notes.of("row") == []


def test_more_students_than_were_seeded_are_enrolled(target_url: str, tmp_path: Path) -> None:
    """A load of 501 users has 1,002 students, of whom the last can log in; a second run finds them again."""
    for run in ("first", "again"):
        options = ["--headless", "--only-summary", "-u", "501", "-r", "1", "-t", "1s", "-H", target_url]
        directory = tmp_path / run
        process = start_locust(
            ["-f", "locustfiles/auth.py", *options, "--seed", "5", "--run-dir", str(directory)], ROOT
        )
        output = finish(process)
        assert "enrolling 2 students" in output
        assert json.loads((directory / "run.json").read_text(encoding="utf-8"))["end_reason"]

    (last,) = generated_accounts("student", [1002], "5")
    login = {"email": last.email, "password": last.password}
    assert plain_http.post(f"{target_url}/api/auth/login", json=login).status_code == 200
    assert last.password not in output


def test_newcomers_are_removed_after_the_run(
    open_target: TargetProcess, database_url: str, tmp_path: Path
) -> None:
    """Of the students whom a run enrols none is left when it has ended, and all others are."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        count = "SELECT count(*) FROM plimsoll.students"
        before = connection.execute(count).fetchone()
        users = [Hasty(VolumeUser, open_target.url, "enrol_class")]
        result = run_hastily(users, tmp_path, run_time="3s", number=4)

        assert result["errors"] == []
        assert result["requests"]["volume.enroll"] > 0
        assert connection.execute(count).fetchone() == before


def _has_started(notes: Notes, users: int) -> bool:
    return len(notes.of("row")) >= users


def _answers(browser: httpx.Client) -> bool:
    try:
        return browser.get("/stats/requests").status_code == 200
    except httpx.TransportError:
        return False
