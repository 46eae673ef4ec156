"""One run's intervals, of a process's own requests or of workers' reports, whatever goes wrong."""

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import setup_distributed_stats_event_listeners

import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from plimsoll.recording.in_flight import Request
from plimsoll.recording.interval_recording import IntervalRecording
from plimsoll.recording.options import declare_limits_ms
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_directory import RecordingErrors
from plimsoll.recording.worker import INTERVALS_KEY, WorkerRecording
from plimsoll.recording.workers import WorkerClocks
from tests.fix_locust_process import LocustProcess, fire
from tests.read_runs import interval_rows
from tests.users_at_work import spawn_user
from tests.virtual_time import START_UNIX_S, virtual_time


def start(environment: Environment, directory: Path) -> IntervalRecording:
    """Start the intervals of a run."""
    directory.mkdir()
    clocks = WorkerClocks(RunClock(), "local")
    return IntervalRecording(environment, directory, lambda _: "hold", clocks, RecordingErrors())


@pytest.fixture
def environment() -> Environment:
    """Return the environment of a single process."""
    return Environment(parsed_options=Namespace())


@pytest.fixture
def master() -> Environment:
    """Return the environment of a master, without its sockets."""
    environment = Environment(parsed_options=Namespace())
    environment.runner = MasterRunner.__new__(MasterRunner)
    environment.runner.greenlet = []
    return environment


class Worker:
    """A worker that reports when it is told to, without a master to hear it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.environment = Environment(parsed_options=Namespace())
        setup_distributed_stats_event_listeners(self.environment.events, self.environment.stats)
        events: Any = self.environment.events
        events.request.add_listener(self.count)
        self.reports: list[dict[str, Any]] = []
        self.stops = 0
        runner = SimpleNamespace(_send_stats=self.report, stop=self.stop)
        self.intervals = WorkerRecording(self.environment, cast(WorkerRunner, runner))

    def count(self, request_type: str, name: str, exception: Exception | None, **_: Any) -> None:
        """Count a request as Locust does."""
        self.environment.stats.log_request(request_type, name, 5, 1)
        if exception:
            self.environment.stats.log_error(request_type, name, exception)

    def tell(self, event_name: str) -> None:
        """Fire an event of the worker's life."""
        event: Any = getattr(self.environment.events, event_name)
        event.fire(environment=self.environment)

    def report(self) -> None:
        """Send Locust's report."""
        data: dict[str, Any] = {}
        event: Any = self.environment.events.report_to_master
        event.fire(client_id=self.name, data=data)
        self.reports.append(data)

    def stop(self) -> None:
        """Stop the users."""
        self.stops += 1


@pytest.fixture
def worker() -> Worker:
    """Return a worker that waits for its first run."""
    return Worker("w1")


def test_single_process(environment: Environment, tmp_path: Path) -> None:
    """Requests from start to close are in the file, those after the last second too, and no others."""
    intervals = start(environment, tmp_path / "run")
    fire(environment)
    intervals.tick()
    fire(environment)
    intervals.close()
    fire(environment)

    assert sum(row["n"] for row in interval_rows(tmp_path / "run")) == 2
    assert {(row["worker"], row["stage"]) for row in interval_rows(tmp_path / "run")} == {("local", "hold")}
    assert (intervals.request_errors, intervals._errors.count) == (0, 0)


def test_closed_twice(environment: Environment, tmp_path: Path) -> None:
    """A run may be closed again, e.g. by a second signal, and loses nothing by it."""
    intervals = start(environment, tmp_path / "run")
    fire(environment)
    intervals.close()
    intervals.close()

    assert sum(row["n"] for row in interval_rows(tmp_path / "run")) == 1
    assert intervals._errors.count == 0


def test_runs_of_one_process(environment: Environment, tmp_path: Path) -> None:
    """Each run has its own requests and its own limits only."""
    for number, name in enumerate(("home", "order")):
        declare_limits_ms(environment, [1.0] * number)
        intervals = start(environment, tmp_path / name)
        fire(environment, name)
        intervals.close()

    assert [(row["name"], row["over_limit"]) for row in interval_rows(tmp_path / "home")] == [("home", [])]
    assert [(row["name"], row["over_limit"]) for row in interval_rows(tmp_path / "order")] == [("order", [1])]


def test_worker(master: Environment, worker: Worker, tmp_path: Path) -> None:
    """What a worker measured last is sent when its users have stopped, and nothing twice."""
    intervals = start(master, tmp_path / "run")
    worker.tell("test_start")
    fire(worker.environment)
    worker.report()
    fire(worker.environment)
    worker.tell("test_stop")
    worker.report()
    for data in worker.reports:
        intervals.on_worker_report("w1", data)
    intervals.close()
    found = interval_rows(tmp_path / "run")

    assert sum(row["n"] for row in found) == 2
    assert {row["worker"] for row in found} == {"w1"}


@pytest.mark.usefixtures("judge")
def test_requests_outside_the_run_of_a_worker(worker: Worker, tmp_path: Path) -> None:
    """Those of its set-up and clean-up are in Locust's totals, by whichever report, and not in the run's."""
    process = LocustProcess(tmp_path / "run").listen()
    events: Any = process.environment.events
    setup_distributed_stats_event_listeners(events, process.environment.stats)

    def log_in(**_: Any) -> None:
        for part in range(2):
            for _request in range(20):
                fire(worker.environment, "login")
            if part == 0:
                worker.report()

    worker_events: Any = worker.environment.events
    worker_events.test_start.add_listener(log_in)
    with virtual_time():
        process.runner.start(0, 1)
        gevent.sleep(1)
        fire(worker.environment)
        worker.report()
        worker.environment.stats.clear_all()
        worker.tell("test_start")
        for _request in range(100):
            fire(worker.environment)
        worker.report()
        worker.tell("test_stop")
        fire(worker.environment, "logout")
        worker.report()
        for data in worker.reports:
            events.worker_report.fire(client_id="w1", data=data)
        process.play(3)

    assert process.runner.stats.total.num_requests == 142
    assert process.facts["locust_totals"] == {"requests": 100, "failures": 0}
    assert "locust_totals_match" not in process.failed_checks


@pytest.mark.usefixtures("judge")
def test_totals_with_requests_that_are_cut_off_on_two_workers(worker: Worker, tmp_path: Path) -> None:
    """Requests and failures are those that each worker sent; those under way at its end are unfinished."""
    process = LocustProcess(tmp_path / "run").listen()
    events: Any = process.environment.events
    setup_distributed_stats_event_listeners(events, process.environment.stats)
    made = {worker: (100, 7, 3), Worker("w2"): (60, 5, 2)}

    def hang() -> None:
        with Request("GET", "slow"):
            Event().wait()

    with virtual_time():
        process.runner.start(0, 1)
        for each, (requests, failures, unfinished) in made.items():
            each.tell("test_start")
            users = [spawn_user(each.environment, hang) for _ in range(unfinished)]
            for number in range(requests):
                fire(each.environment, exception=OSError("refused") if number < failures else None)
            gevent.sleep(2)
            each.report()
            gevent.killall(users[:1])
            each.tell("test_stop")
            gevent.killall(users)
            for data in each.reports:
                events.worker_report.fire(client_id=each.name, data=data)
        process.play(3)

    found = interval_rows(tmp_path / "run")
    for each, expected in made.items():
        own = [row for row in found if row["worker"] == each.name]
        sent = [data["stats_total"] for data in each.reports]
        assert tuple(sum(row[key] for row in own) for key in ("n", "failures", "unfinished")) == expected
        assert sum(total["num_requests"] for total in sent) == expected[0]
        assert sum(total["num_failures"] for total in sent) == expected[1]
    assert {row["name"] for row in found if row["unfinished"]} == {"slow"}
    assert sum(row["n"] for row in found) == 160
    assert process.facts["locust_totals"] == {"requests": 160, "failures": 12}
    assert "locust_totals_match" not in process.failed_checks


def test_next_run_of_a_worker(worker: Worker) -> None:
    """A second run of a worker begins with nothing of the first."""
    for _ in range(2):
        worker.tell("test_start")
        fire(worker.environment)
        worker.tell("test_stop")

    assert [len(data[INTERVALS_KEY]["batches"]) for data in worker.reports] == [1, 1]


def test_idle_worker(worker: Worker) -> None:
    """Between runs a worker reports no intervals."""
    worker.report()

    assert INTERVALS_KEY not in worker.reports[0]


def test_limits_reach_the_worker(worker: Worker) -> None:
    """The master's options carry the limits, and a worker counts over them from its next run on."""
    declare_limits_ms(worker.environment, [1.0, 100.0])
    worker.tell("test_start")
    fire(worker.environment)
    worker.tell("test_stop")

    assert worker.reports[0][INTERVALS_KEY]["batches"][0]["over_limits"]["over_limit"] == bytes(
        [1, 0, 0, 0, 0, 0, 0, 0]
    )


def test_worker_that_ends(worker: Worker) -> None:
    """A worker that quits stops its users before it says goodbye."""
    worker.tell("quitting")

    assert worker.stops == 1


@pytest.mark.parametrize(("behind_s", "shift_s"), [(0.4, 0), (2.2, 2), (-7.6, -8)])
def test_clock_offset(
    master: Environment, worker: Worker, tmp_path: Path, behind_s: float, shift_s: int
) -> None:
    """A worker's seconds are put right by whole seconds when its clock is off by more than half of one."""
    with virtual_time():
        intervals = start(master, tmp_path / "run")
        worker.tell("test_start")
        fire(worker.environment)
        worker.report()
        report = worker.reports[0][INTERVALS_KEY]
        report["sent_s"] = time.time() - behind_s
        started_s = int.from_bytes(report["batches"][0]["scalars"]["started_s"], "little")
        intervals.on_worker_report("w1", {INTERVALS_KEY: report})
        intervals.close()
        worker.tell("test_stop")

    assert interval_rows(tmp_path / "run")[0]["started_s"] == started_s + shift_s


@pytest.mark.parametrize("forward_s", [3600.0, -3600.0])
def test_a_wall_clock_of_a_worker_that_is_set(
    master: Environment, worker: Worker, tmp_path: Path, forward_s: float
) -> None:
    """Requests before and after it stay where they were, and the master is told of the step."""
    with virtual_time() as clock:
        intervals = start(master, tmp_path / "run")
        worker.tell("test_start")
        for _ in range(2):
            gevent.sleep(0.3)
            fire(worker.environment)
            gevent.sleep(5.3)
            clock.set_wall_clock(forward_s if clock.elapsed_s < 6 else 0.0)
        worker.report()
        intervals.on_worker_report("w1", worker.reports[0])
        intervals.close()
        worker.tell("test_stop")

    assert {row["started_s"] for row in interval_rows(tmp_path / "run")} == {START_UNIX_S, START_UNIX_S + 5}
    step = {"process": "w1", "at_s": 6.0, "forward_s": forward_s, "suspended_s": 0.0}
    assert intervals._clocks.step_facts() == [step]
    assert intervals._clocks.facts() == {"w1": 0.0}


def test_lost_reports(master: Environment, worker: Worker, tmp_path: Path) -> None:
    """A report that a worker made and that never came is an error, also where the first was lost."""
    intervals = start(master, tmp_path / "run")
    worker.tell("test_start")
    for _ in range(4):
        worker.report()
    for number in (2, 4):
        intervals.on_worker_report("w1", worker.reports[number - 1])
    worker.tell("test_stop")

    assert intervals.request_errors == 2


def test_strange_report(master: Environment, tmp_path: Path) -> None:
    """A report that cannot be understood is an error of the recording, and no more than that."""
    intervals = start(master, tmp_path / "run")
    strange = {"batches": [{}], "sent_s": time.time(), "clock_steps": [], "errors": 2, "number": 1}
    intervals.on_worker_report("w1", {INTERVALS_KEY: strange})
    intervals.on_worker_report("w2", {INTERVALS_KEY: None})
    intervals.on_worker_report("w3", {})
    intervals.close()

    assert (intervals.request_errors, intervals._errors.count) == (2, 2)


def test_disk_full(environment: Environment, tmp_path: Path) -> None:
    """When nothing can be written any more the run goes on, and is known to be incomplete."""
    intervals = start(environment, tmp_path / "run")
    intervals._file._file.close()
    for _ in range(2):
        fire(environment)
        intervals.tick()
    intervals.close()

    assert intervals._errors.count >= 1
