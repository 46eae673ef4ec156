"""A run that could only mislead is refused before any load."""

from locust import FastHttpUser, HttpUser, User
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from plimsoll import ArrivalShape, RateStage, ScheduledShape, SearchShape, Stage
from plimsoll.recording.declared_names import declared_names, known_names
from plimsoll.recording.judging import SUITE_FOLDER, check_thresholds, how_to_judge
from plimsoll.recording.startup_checks import (
    _host_faults,
    _setting_faults,
    _shape_faults,
    _warm_up_faults,
    folder_faults,
    run_dir_faults,
    task_faults,
    user_count_faults,
)
from plimsoll.users.http import LeanHttpUser
from shapes.ramp import RampShape


class Wrong(ArrivalShape):
    """A load that nobody takes, in a stage of less than no time."""

    stages = (RateStage("hold", -1, 5, 5),)


class Right(ScheduledShape):
    """A load that can be played."""

    stages = (Stage("hold", 20, 5, 5),)


class Search(SearchShape):
    """A search for which nothing is said."""


def shape_faults(*shapes: Any, **options: Any) -> list[str]:
    """Return what is wrong with the shapes that are loaded, of which Locust takes the first."""
    given = {"headless": True, "autostart": False, "thresholds": None, "user_scale": 1.0, "time_scale": 1.0}
    environment = Environment(shape_class=shapes[0], parsed_options=Namespace(**{**given, **options}))
    environment.create_local_runner()
    environment.available_shape_classes = {type(shape).__name__: shape for shape in shapes}
    return _shape_faults(environment)


def test_all_faults_of_a_schedule() -> None:
    """A schedule that cannot be run is refused with each of its faults, and the name of its class."""
    assert shape_faults(Right()) == []
    assert shape_faults(Wrong()) == [
        "Wrong: stage 1 ('hold'): duration_s must be a number above 0, got -1",
        "Wrong: max_users must be a whole number of at least 1, got 0",
    ]


def test_all_shapes_that_can_be_picked_are_checked() -> None:
    """In a web UI the first shape is no more than a default: the faults of all are said at the start."""
    faults = shape_faults(Right(), Wrong(), Search(), headless=False)

    assert [fault.split(" must")[0] for fault in faults] == [
        "Search: first_rate",
        "Search: factor",
        "Search: resolution",
        "Search: step_s",
        "Search: rest_s",
        "Search: max_steps",
        "Search: max_users",
        "Wrong: stage 1 ('hold'): duration_s",
        "Wrong: max_users",
    ]


def host_faults(user_class: type[User], **attributes: Any) -> list[str]:
    """Return what is wrong with the host of a headless run of such a user."""
    visitor: Any = type("Visitor", (user_class,), attributes)
    options = Namespace(headless=True, autostart=False, with_service=False, database_url=None)
    return _host_faults(Environment(user_classes=[visitor], parsed_options=options))


@pytest.mark.parametrize("user_class", [HttpUser, FastHttpUser, LeanHttpUser])
def test_users_of_http_need_a_host(user_class: type[User]) -> None:
    """Without one there is nothing to send a request to, whichever client is to do it."""
    assert host_faults(user_class) == [
        "Visitor: no host; give --host URL, or --with-service for the bundled service"
    ]
    assert host_faults(user_class, host="http://127.0.0.1:8000") == []


def test_other_users_need_none() -> None:
    """A user of another protocol knows by itself whom to ask."""
    assert host_faults(User) == []


@pytest.mark.parametrize("host", ["http://127.0.0.1:8000", "shop.example", None])
def test_settings_are_checked_whatever_the_host(host: str | None) -> None:
    """A class whose settings are wrong is told of them once, and not of a host that is told of elsewhere."""
    visitor: Any = type("Visitor", (LeanHttpUser,), {"concurrency": 0, "host": host})

    assert _setting_faults(Environment(user_classes=[visitor, HttpUser])) == [
        "Visitor: concurrency must be at least 1, got 0"
    ]


@pytest.mark.parametrize(
    ("warm_up", "shape", "run_time_s", "faults"),
    [
        (None, None, 60, []),
        ("30s", None, 60, []),
        ("30s", None, None, []),
        ("soon", None, 60, ["--warm-up must be a time such as 30s or 2m, got 'soon'"]),
        ("9" * 12 + "h", None, 60, [f"--warm-up must be a time such as 30s or 2m, got '{'9' * 12}h'"]),
        ("1m", None, 60, ["--warm-up of 60 s leaves nothing of --run-time, 60 s"]),
        (
            "30s",
            RampShape(),
            None,
            ["--warm-up is for runs without a shape: a shape warms up in a first stage named warm_up"],
        ),
    ],
)
def test_warm_up(
    warm_up: str | None, shape: RampShape | None, run_time_s: int | None, faults: list[str]
) -> None:
    """A warm-up is a time, shorter than the run, which has no shape; each fault says what is valid."""
    options = Namespace(headless=True, autostart=False, warm_up=warm_up, run_time=run_time_s)

    assert _warm_up_faults(Environment(shape_class=shape, parsed_options=options)) == faults


@pytest.mark.parametrize(
    ("declared", "known"),
    [([], set()), ([{"cache"}, {"cache", "pod.*"}], {"cache", "pod.*"}), ([{"cache"}, None], {"cache", "*"})],
)
@pytest.mark.parametrize("attribute", ["metric_names", "tag_names", "transaction_names"])
def test_declared_names(declared: list[set[str] | None], known: set[str], attribute: str) -> None:
    """The names of all classes are known; one that measures and declares none may measure anything."""
    user_classes: Any = [type("Measuring", (), {attribute: names}) for names in declared]

    assert declared_names([*user_classes, HttpUser], attribute) == known


def test_a_run_directory_is_checked_and_not_made(tmp_path: Path) -> None:
    """Where a directory could be made nothing is, and what is wrong with it is said in a line otherwise."""
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "run.json").write_text("")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "circle").symlink_to("circle")
    faults = {
        name: [fault.partition(str(tmp_path))[2] for fault in run_dir_faults(f"{tmp_path}/{name}")]
        for name in ("new/run", "file", "file/run", "fifo", "circle", "full")
    }

    assert faults == {
        "new/run": [],
        "file": ["/file' cannot be used: Not a directory"],
        "file/run": ["/file/run' cannot be used: Not a directory"],
        "fifo": ["/fifo' cannot be used: Not a directory"],
        "circle": ["/circle' is not a valid path"],
        "full": ["/full' is not empty: give a new or an empty directory"],
    }
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "folder", ["x" * 300, f"new/{'x' * 300}", "a\0b", "é" * 200, "a\udcffb", "x/" * 5000]
)
def test_a_name_that_no_directory_can_have(folder: str) -> None:
    """A name that is too long, or none at all, is told in a line of moderate length."""
    (fault,) = folder_faults(folder)

    assert fault.startswith("--run-dir '")
    assert len(fault) < 200


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/dev/zero", "/dev/zero: cannot be read: it is not a regular file"),
        ("x" * 300, "cannot be read: File name too long"),
        ("circle", "circle: cannot be read: Too many levels of symbolic links"),
        ("a\0b", "'a\\x00b' cannot be checked: embedded null byte"),
    ],
)
def test_a_thresholds_file_that_cannot_be(
    path: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with the file is one line, at once."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle").symlink_to("circle")

    (fault,) = check_thresholds(path, known_names([])).faults
    assert why in fault


def test_the_judge_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package named `reports`, in the working directory or on PYTHONPATH, is not run in its place."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text("raise SystemExit('not ours')", encoding="utf-8")
    (tmp_path / "shop.yaml").write_text("thresholds: [p95 < 1 s]", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    for safe_path in ("", "1"):
        monkeypatch.setenv("PYTHONSAFEPATH", safe_path)
        checked = check_thresholds("shop.yaml", known_names([]))
        assert (checked.faults, checked.limits_ms) == ([], [1000])


def test_the_command_to_judge_again_is_one_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the root of a clone it needs no installation; elsewhere it is the program, which works anywhere."""
    monkeypatch.chdir(SUITE_FOLDER)
    assert how_to_judge(Path("results/a b")) == "python -m reports judge 'results/a b'"
    monkeypatch.chdir(tmp_path)
    assert how_to_judge(Path("results/a b")) == "plimsoll judge 'results/a b'"


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
