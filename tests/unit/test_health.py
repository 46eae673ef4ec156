"""The generator's health is measured from the first second."""

from __future__ import annotations

import gevent
from locust import User
from locust.env import Environment

import csv
import time
from pathlib import Path

import pytest

from plimsoll.context import Context, execution_of
from plimsoll.recording.health import (
    HealthMonitor,
    LoopLag,
    _quantile,
    cpu_ratio,
)
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_directory import CsvLog
from plimsoll.recording.worker import reported_health
from plimsoll.run_files.files import HEALTH_FILE, HealthRow
from tests.virtual_time import virtual_time

ROW = HealthRow(1.0, "local", 7, 0.5, 1000, 0.1, 2.0, 3.0, 50, 0, 0, 10, 2, 0, 0.25, None, None, 4, 3, 1, 0.0)


@pytest.fixture
def environment() -> Environment:
    """Return a Locust environment without users."""
    return Environment(user_classes=[])


def test_a_process_that_stands_still_is_seen(environment: Environment) -> None:
    """A stop of 3.5 s is one sample, and 3.5 s in which nothing could run; a lag of 19 ms is ordinary."""
    with virtual_time() as clock:
        monitor = HealthMonitor(environment, "local", RunClock())
        for lag_s in (3.5, 0.019):
            gevent.sleep(0.5)
            clock.stand_still(lag_s)
        gevent.sleep(0.5)
        row = monitor.take()
        monitor.stop()

    assert row.stalled_ms == pytest.approx(3500, abs=20)
    assert row.lag_max_ms == pytest.approx(3500, abs=20)


def test_a_blocked_loop_is_late() -> None:
    """A greenlet that computes for 100 ms makes every other one late by about as much."""
    with virtual_time() as clock:
        lag = LoopLag()
        gevent.sleep(0.1)
        assert max(lag.take()) == pytest.approx(0, abs=1e-6)
        clock.stand_still(0.1)
        gevent.sleep(0.05)
        lags_ms = lag.take()
        lag.stop()

    assert lags_ms == sorted(lags_ms)
    assert lags_ms[-1] == pytest.approx(100, abs=20)


def test_late_and_very_late_turns_are_counted(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of turns 9, 10.1, 19, 20 and 20.1 ms late four are over 10 ms and one is over 20 ms."""
    monitor = HealthMonitor(environment, "local", RunClock())
    monkeypatch.setattr(LoopLag, "take", lambda _: [9.0, 10.1, 19.0, 20.0, 20.1])
    row = monitor.take()
    monitor.stop()

    assert (row.lag_samples, row.lag_late, row.lag_very_late) == (5, 4, 1)


def test_the_first_second_has_a_cpu_figure(environment: Environment) -> None:
    """A process that computes shows what it got of a core in its first row already, where Locust says 0."""
    with virtual_time() as clock:
        monitor = HealthMonitor(environment, "local", RunClock())
        cpu_s = time.process_time()
        while time.process_time() - cpu_s < 0.2:
            pass
        clock.stand_still(1.0)
        row = monitor.take()
        monitor.stop()

    assert row.cpu_ratio == pytest.approx(0.2, abs=0.05)
    assert row.rss_bytes > 1_000_000
    assert 0 <= row.host_cpu_ratio <= 1


@pytest.mark.parametrize(
    ("own", "helpers", "cores", "ratio"),
    [
        (0.5, 0.0, 2, 0.5),  # it has one core, of however many
        (0.1, 1.5, 2, 0.8),  # 1.6 of 2
        (0.9, 0.1, 4, 0.9),  # 1.0 of 4, while its own core is nearly full
        (0.2, 0.4, 0.5, 0.6),  # four processes on two cores: no share is less than a core
        (0.5, -30.0, 2, 0.5),  # a browser that was started anew
    ],
)
def test_helpers_share_all_cores(own: float, helpers: float, cores: float, ratio: float) -> None:
    """A browser may use any core, its Locust process one: it is as busy as the busier of both ways."""
    assert cpu_ratio(own, helpers, cores) == pytest.approx(ratio)


def test_what_users_make_others_work_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU time that user classes tell of since the last row is in the row, of each teller once."""
    used = {"s": 5.0}
    driving = type("Driving", (User,), {"abstract": True, "child_cpu_s": staticmethod(lambda: used["s"])})
    environment = Environment(user_classes=[driving, type("Other", (driving,), {"abstract": True}), User])
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    with virtual_time():
        monitor = HealthMonitor(environment, "local", RunClock())
        gevent.sleep(10)
        used["s"] += 1000
        row = monitor.take()
        monitor.stop()

    assert row.cpu_ratio == pytest.approx(1000 / 4 / 10, abs=0.1)  # and what little this process itself used


def test_iterations_are_counted_to_the_last(environment: Environment) -> None:
    """Each second has the iterations since the one before; those after the last are not lost."""
    execution = execution_of(environment)

    def start(delay_s: float) -> None:
        Context(execution).begin_iteration("Visitor.browse", delay_s)

    start(delay_s=1.0)
    monitor = HealthMonitor(environment, "local", RunClock())
    start(delay_s=0.0)
    start(delay_s=0.5)
    execution.dropped += 3
    second = monitor.take()
    start(delay_s=0.0)
    last = monitor.stop()

    assert (second.started, second.late, second.dropped) == (2, 1, 3)
    assert last is not None
    assert (last.started, last.late, last.dropped) == (1, 0, 0)


def test_no_row_of_no_time(environment: Environment) -> None:
    """Of a moment after the last row there is nothing to tell."""
    assert HealthMonitor(environment, "local", RunClock()).stop() is None


@pytest.mark.parametrize(
    ("q", "value"), [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.99, 4.0), (1.0, 4.0), (0.01, 1.0)]
)
def test_quantiles_by_nearest_rank(q: float, value: float) -> None:
    """Of 1, 2, 3, 4 the median is the second, and everything over three quarters the fourth."""
    assert _quantile([1.0, 2.0, 3.0, 4.0], q) == value


def test_no_samples_no_quantile() -> None:
    """A second in which the loop never came round has no lag to tell."""
    assert _quantile([], 0.5) is None


def test_rows_reach_the_file(tmp_path: Path) -> None:
    """What a worker reports is written as it came; unknown is empty."""
    file = CsvLog(tmp_path / HEALTH_FILE, HealthRow._fields)
    for row in reported_health({"plimsoll_health": [list(ROW)]}, shift_s=0):
        file.write(row)
    file.close()
    (written,) = csv.DictReader((tmp_path / "health.csv").read_text(encoding="utf-8").splitlines())

    assert written["process"] == "local"
    assert (written["lag_late"], written["dropped"], written["steal_ratio"]) == ("0", "0", "")
    assert (written["started"], written["late"]) == ("3", "1")


def test_reports_of_others_are_left_alone() -> None:
    """A report without health is not ours."""
    assert reported_health({"stats": []}, shift_s=0) == []


def test_a_worker_whose_clock_is_wrong() -> None:
    """Its seconds are moved to those of the master, as those of its requests are."""
    (row,) = reported_health({"plimsoll_health": [list(ROW)]}, shift_s=-3)

    assert row == ROW._replace(unix_s=-2.0)
