"""A run whose users would have nothing to do, or that has no users, is refused before any load."""

from locust import User
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

import sys
from argparse import Namespace
from pathlib import Path

import pytest

from plimsoll.recording.task_checks import task_faults, user_count_faults
from shapes.ramp import RampShape

LOCUSTFILE = """
from locust import User, TaskSet, SequentialTaskSet, MarkovTaskSet, task, tag, transition
from locust.user.users import PytestUser
class Empty(TaskSet): pass
class Idle(User):
    def visit(self): pass
class Nested(User):
    tasks = [Empty]
class Busy(User):
    @tag("slow")
    @task
    def visit(self): pass
class Heir(Busy): pass
class Sequence(User):
    @task
    class Steps(SequentialTaskSet):
        @tag("slow")
        @task
        def step(self): pass
class Walk(User):
    @task
    class Steps(MarkovTaskSet):
        @transition("step")
        def step(self): pass
class Tested(PytestUser):
    functions = [print]
class Loop(User):
    def run(self): pass
"""
NO_TASK = "{} has no task: decorate methods with @task, set its tasks, or make it abstract = True"
NONE_LEFT = (
    "{}: no task of {} is left (tags of its tasks: {}); give tags that leave one, or do not run this class"
)


def user_classes_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> list[type[User]]:
    """Load a locustfile as Locust does and return its user classes."""
    path = tmp_path / f"locustfile_{abs(hash(source))}.py"
    path.write_text(source)
    monkeypatch.setattr("sys.path", sys.path[:])
    found, _ = load_locustfile(str(path))
    return list(found.values())


@pytest.mark.parametrize(
    ("tags", "excluded", "cause"),
    [
        (None, None, None),
        (["slow"], None, None),
        (["fast", "buy"], None, "--tags 'buy' 'fast'"),
        (None, ["slow"], "--exclude-tags 'slow'"),
        (["slow"], ["slow"], "--tags 'slow' and --exclude-tags 'slow'"),
    ],
)
def test_user_classes_without_tasks(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tags: list[str] | None,
    excluded: list[str] | None,
    cause: str | None,
) -> None:
    """A class that has no task is refused, and one of which tags leave none with the tags as the cause."""
    options = Namespace(headless=True, autostart=False, tags=tags, exclude_tags=excluded)
    classes = user_classes_of(tmp_path, monkeypatch, LOCUSTFILE)
    left_out = [NONE_LEFT.format(cause, name, "slow") for name in ("Busy", "Heir", "Sequence")]

    assert task_faults(Environment(parsed_options=options), classes) == [
        *(NO_TASK.format(name) for name in ("Idle", "Nested")),
        *(left_out if cause else ()),
    ]


@pytest.mark.parametrize(
    "later",
    [
        "    def on_start(self): self.tasks = [print]",
        "    def __init__(self, *a): super().__init__(*a); self.tasks = [print]",
        "@events.init.add_listener\ndef give(environment, **_): environment.user_classes[0].tasks = [print]",
        "setattr(Idle, 'tasks', [print])",
    ],
)
def test_tasks_that_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str) -> None:
    """Where code of the locustfile may give a class its tasks, nobody can tell that it has none."""
    source = f"from locust import User, events\nclass Idle(User):\n    def visit(self): pass\n{later}\n"
    options = Namespace(headless=True, autostart=False, tags=None, exclude_tags=None)
    classes = user_classes_of(tmp_path, monkeypatch, source)

    assert task_faults(Environment(parsed_options=options), classes) == []


@pytest.mark.parametrize(
    ("users", "shape", "faults"),
    [
        (0, None, ["--users must be at least 1, got 0"]),
        (-1, None, ["--users must be at least 1, got -1"]),
        (1, None, []),
        (None, None, []),
        (0, RampShape(), []),
    ],
)
def test_a_number_of_users(users: int | None, shape: RampShape | None, faults: list[str]) -> None:
    """A run without users makes no load; a shape has a number of its own."""
    options = Namespace(num_users=users)

    assert user_count_faults(Environment(shape_class=shape, parsed_options=options)) == faults
