"""A locustfile of students who note what they are fed, and runs of it."""

from __future__ import annotations

from pathlib import Path

from tests.fix_runs import ROOT

# Each user notes the row it gets, and by which process; each process appends whole lines to the same file.
LOCUSTFILE = """
from locust import User, constant, runners, task
import os, time
from plimsoll.data import Feeder, feeder, set_up

if os.environ.get("PATIENT"):
    # A busy machine silences a worker for the four seconds after which Locust's master takes it for lost, and
    # keeps an answer for the three after which a feeder asks again, for rows that others then lack.
    runners.HEARTBEAT_LIVENESS, feeder.ANSWER_LIMIT_S = 60, 60.0

if os.environ.get("RECORDED"):
    from plimsoll import record_run
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
HEADLESS = ["-f", "students.py", "--headless", "--only-summary"]


class Students:
    """Their folder, and what they have noted."""

    def __init__(self, folder: Path, rows: int, feeder: str = 'Feeder.csv("rows.csv", "unique")') -> None:
        self.folder = folder
        self._notes = folder / "notes"
        (folder / "rows.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(rows)), encoding="utf-8")
        (folder / "students.py").write_text(LOCUSTFILE.replace("ROWS", feeder), encoding="utf-8")
        (folder / "shape.py").write_text(SHAPE, encoding="utf-8")

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the variables of a run with these settings."""
        return {"NOTES": str(self._notes), "PYTHONPATH": str(ROOT), **settings}

    def lines(self) -> list[str]:
        """Return all that was noted."""
        return self._notes.read_text(encoding="utf-8").splitlines() if self._notes.exists() else []

    def notes(self, word: str) -> list[list[str]]:
        """Return the notes that begin with a word, without it."""
        return [line.split()[1:] for line in self.lines() if line.split()[0] == word]
