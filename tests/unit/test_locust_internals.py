"""What the suite knows of Locust's insides is so, and only two modules know it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
import locust
import locust.stats
from gevent.pool import Group
from locust import User, argument_parser
from locust.env import Environment
from locust.event import EventHook, Events
from locust.runners import LocalRunner, WorkerRunner
from locust.user.task import LOCUST_STATE_STOPPING

import ast
import inspect
import logging
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from plimsoll import listening, locust_internals
from plimsoll.locust_internals import keep_default_options, start_after_init, waiting
from tests.fix_locust_process import fire
from tests.unit.test_layering import sources

INSIDES = {
    "answering_workers": {
        "runners.MasterRunner.heartbeat_worker": ["client.state = STATE_MISSING"],
    },
    "listeners_of": {"event.EventHook.fire": ["self._handlers[::-1] if reverse else self._handlers.copy()"]},
    "listen_first": {"event.EventHook.add_listener": ["self._handlers.append(handler)"]},
    "listen_last": {"event.EventHook.fire": ["def fire(self, *, reverse=False, **kwargs)"]},
    "surround": {"event.EventHook.fire": ["def fire(self, *, reverse=False, **kwargs)"]},
    "put_locust_first": {
        "runners.Runner.__init__": ["self.environment.events.request.add_listener(on_request)"]
    },
    "after_user_start": {"user.users.User.start": ["group.spawn(run_user, self)", "return self._greenlet"]},
    "around_tasks": {
        "user.task.TaskSet.execute_next_task": ["self.execute_task(self._task_queue.popleft())"],
        "user.task.TaskSet.run": ["self.execute_next_task()"],
        "user.task.tag": ["locust_tag_set"],
    },
    "around_waits": {"user.task.TaskSet.run": ["self.wait()"]},
    "is_stopping": {"user.users.User.stop": ["self._state = LOCUST_STATE_STOPPING"]},
    "waiting": {
        "user.task.TaskSet.wait": [
            "if self.user._state == LOCUST_STATE_STOPPING:\n            raise StopUser()",
            "self.user._state = LOCUST_STATE_WAITING",
            "self.user._state = LOCUST_STATE_RUNNING",
        ],
        "user.users.User.stop": ["self._state in (None, LOCUST_STATE_WAITING)", "self._group.killone("],
    },
    "pacing_s": {
        "user.wait_time.constant_pacing": ["def wait_time_func", "max(0, wait_time - run_time)"],
        "user.wait_time.constant_throughput": ["return constant_pacing(1 / task_runs_per_second)"],
    },
    "around_client_requests": {
        "clients.HttpSession.request": ["method", "name", "self.request_name"],
        "contrib.fasthttp.FastHttpSession.request": ["method", "name", "self.request_name"],
    },
    "start_after_init": {"runners.WorkerRunner.handle_message": ['case "spawn":']},
    "keep_default_options": {"runners.WorkerRunner.handle_message": ["default_args_dict()"]},
    "send_report": {
        "runners.WorkerRunner._send_stats": [
            "report_to_master.fire",
            'Message("stats", data, self.client_id)',
        ]
    },
    "guard_starts": {
        "runners.LocalRunner.start": ["self.spawning_greenlet = self.greenlet.spawn("],
        "runners.Runner.start_shape": ["self.shape_greenlet = self.greenlet.spawn(self.shape_worker)"],
    },
    "stop_run_timer": {
        "web.WebUI.__init__": ["self._run_time_greenlet = gevent.spawn_later(run_time, self._stop_runners)"],
        "web.WebUI._cancel_run_time_timer": ["self._run_time_greenlet.kill(block=False)"],
        "web.WebUI._stop_runners": ["self.environment.runner.stop()"],
    },
    "redact_locust": {
        "stats.RequestStats.log_request": ["self.entries[(name, method)].log("],
        "stats.RequestStats.log_error": ["self.entries[(name, method)].log_error(error)"],
        "stats.RequestStats.clear_all": ["self.entries = EntriesDict(self)"],
        "stats.EntriesDict.__missing__": ["self[key] = StatsEntry("],
        "runners.Runner.log_exception": [
            "def log_exception(self, node_id: str, msg: str, formatted_tb: str)"
        ],
    },
    "ClockedCsvWriter": {
        "stats.StatsCSVFileWriter._stats_history_data_rows": ["csv_writer: CSVWriter, now: float"],
        "stats.StatsCSVFileWriter.stats_writer": [
            "self._stats_history_data_rows(self.stats_history_csv_writer, now)"
        ],
    },
}
"""What is used of Locust, by the function of ours that uses it: where it is, and what its source says."""


def source_of(path: str) -> str:
    """Return the source of something in Locust as it is installed, empty where there is no such thing."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = __import__(f"locust.{'.'.join(parts[:length])}", fromlist=["_"])
        except ImportError:
            continue
        found: Any = module
        for name in parts[length:]:
            found = getattr(found, name, None)
        return inspect.getsource(inspect.unwrap(found)) if found else ""
    return ""


@pytest.mark.parametrize("name", INSIDES)
def test_locust_is_as_it_was(name: str) -> None:
    """Each inside of Locust that is used is there as it was when it was first used."""
    changed = [
        f"Locust {locust.__version__} has changed locust.{path}: it no longer says {text!r};"
        f" see what {name}() makes of it"
        for path, texts in INSIDES[name].items()
        for text in texts
        if text not in source_of(path)
    ]

    assert not changed, "\n".join(changed)


@pytest.mark.parametrize("module", [locust_internals, listening])
def test_every_function_says_what_it_relies_on(module: ModuleType) -> None:
    """What is added to the modules about Locust's insides is added to the table above, too."""
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }

    assert public <= INSIDES.keys()
    assert all(inspect.getdoc(getattr(module, name)) for name in public)


def private_names_of_locust() -> set[str]:
    """Return the names with one underscore that Locust's own objects bear."""
    files = Path(inspect.getfile(locust)).parent.rglob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def test_only_two_modules_reach_into_locust() -> None:
    """No other module asks an object for a private attribute that Locust's objects have, or overrides one."""
    locusts, own = private_names_of_locust(), {"_replace", "_asdict", "_fields", "_exit"}
    homes = {Path(locust_internals.__file__), Path(listening.__file__)}
    reaching = {
        f"{path.name}: {ast.unparse(node)}"
        for path in sources("plimsoll")
        if path not in homes
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in locusts - own
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
    }
    overriding = {
        f"{each.__name__}.{name}"
        for base in (User, EventHook, locust.LoadTestShape, locust.stats.StatsCSVFileWriter)
        for each in subclasses(base)
        if each.__module__.startswith("plimsoll.") and each.__module__ != locust_internals.__name__
        for name in vars(each)
        if name in vars(base).keys() & locusts
    }

    assert not reaching
    assert not overriding


def subclasses(base: type) -> set[type]:
    """Return all classes that are made of one."""
    children: list[type] = base.__subclasses__()
    return {*children, *(each for child in children for each in subclasses(child))}


class Worker:
    """A worker whose messages are noted in the place of Locust's handling."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events, self.handled = Events(), list[str]()
        monkeypatch.setattr(
            WorkerRunner, "handle_message", lambda _, message: self.handled.append(message.type)
        )
        start_after_init(self.events)

    def take(self, *types: str) -> gevent.Greenlet:
        """Take messages one after the other, as Locust's worker does."""
        handle: Any = WorkerRunner.handle_message
        return gevent.spawn(lambda: [handle(None, SimpleNamespace(type=each)) for each in types])


def test_the_order_to_spawn_waits_for_init(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes before the order is done at once, the order and all after it when init is over."""
    worker = Worker(monkeypatch)
    taking = worker.take("ack", "spawn", "stop")
    gevent.sleep(0.01)
    before = list(worker.handled)
    worker.events.init.fire()
    taking.join(timeout=60)

    assert before == ["ack"]
    assert worker.handled == ["ack", "spawn", "stop"]


def test_no_worker_waits_for_ever(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where init never comes to an end, users start in the end, and that is said."""
    monkeypatch.setattr(locust_internals, "INIT_LIMIT_S", 0.01)
    worker = Worker(monkeypatch)
    with caplog.at_level(logging.ERROR, "plimsoll"):
        worker.take("spawn").join(timeout=60)

    assert worker.handled == ["spawn"]
    assert "init listeners did not finish within 0 s; starting users anyway" in caplog.text


def test_default_options_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is told to spawn again makes no parser for it: its users' answers would wait for that."""
    monkeypatch.setattr(argument_parser, "default_args_dict", argument_parser.default_args_dict)
    expected = argument_parser.default_args_dict()
    keep_default_options.__wrapped__()
    make = Mock(wraps=argument_parser.get_empty_argument_parser)
    monkeypatch.setattr(argument_parser, "get_empty_argument_parser", make)

    assert [argument_parser.default_args_dict() for _ in range(50)] == [expected] * 50
    assert make.call_count <= 1


def test_a_waiting_user_is_stopped_at_once() -> None:
    """A user that waits as in its wait time is stopped without --stop-timeout; one that is to stop leaves."""

    class Idle(User):
        """A user who waits for something of its own."""

        def on_start(self) -> None:
            """Wait."""
            with waiting(self):
                gevent.event.Event().wait()

    users, user = Group(), Idle(Environment())
    user.start(users)
    gevent.sleep(0)
    user.stop(force=False)
    gevent.sleep(0)
    user._state = LOCUST_STATE_STOPPING

    assert len(users) == 0
    with pytest.raises(locust.exception.StopUser), waiting(user):
        pass


def test_statistics_stay_the_ones_that_locust_holds() -> None:
    """Locust's own listeners count into the statistics that are masked, also after a run has cleared them."""
    environment = Environment()
    LocalRunner(environment)
    stats: Any = environment.stats
    locust_internals.redact_locust(environment)
    for _ in range(2):
        for secret in ("abc", "def"):
            fire(environment, f"/?token={secret}")
        assert [(key, entry.num_requests) for key, entry in stats.entries.items()] == [
            (("/?token=***", "GET"), 2)
        ]
        stats.clear_all()

    assert environment.stats is stats
