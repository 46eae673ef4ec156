"""Virtual time behaves as real time does, and takes none."""

from __future__ import annotations

import gevent
from gevent.event import Event
from gevent.queue import Empty, Queue
from locust import User, constant_pacing, task
from locust.env import Environment
from locust.runners import LocalRunner

import importlib
import time

import pytest

from tests import virtual_time as module
from tests.virtual_time import START_UNIX_S, virtual_time

# It has imported perf_counter by name.
LOCUST = importlib.import_module("locust.user.wait_time")
REAL = time.time, time.monotonic, time.perf_counter, gevent.get_hub().loop


def test_an_hour_takes_no_time() -> None:
    """The clocks go on by what was slept, one that was imported by name too; then the real ones are back."""
    with virtual_time() as clock:
        assert time.time() == START_UNIX_S
        before_s = time.monotonic(), time.perf_counter(), LOCUST.perf_counter()
        gevent.sleep(3600)
        assert clock.elapsed_s == 3600
        assert time.time() == START_UNIX_S + 3600
        now_s = time.monotonic(), time.perf_counter(), LOCUST.perf_counter()
        assert now_s == tuple(each + 3600 for each in before_s)

    assert (time.time, time.monotonic, time.perf_counter, gevent.get_hub().loop) == REAL
    assert LOCUST.perf_counter is time.perf_counter


def test_timers_fire_when_they_are_due() -> None:
    """Greenlets that sleep for different times wake in that order; those due at once as they began."""
    woken: list[tuple[str, float]] = []

    def sleep(name: str, duration_s: float) -> None:
        gevent.sleep(duration_s)
        woken.append((name, clock.elapsed_s))

    with virtual_time() as clock:
        sleepers = [
            gevent.spawn(sleep, name, for_s)
            for name, for_s in (("c", 2.0), ("a", 1.0), ("d", 2.0), ("b", 1.5))
        ]
        gevent.joinall(sleepers)

    assert woken == [("a", 1.0), ("b", 1.5), ("c", 2.0), ("d", 2.0)]


def test_waiting_with_a_time_limit() -> None:
    """An event, a queue and a Timeout end their waiting at their limit, or when what they wait for comes."""
    with virtual_time() as clock:
        event, queue = Event(), Queue()
        assert not event.wait(5)
        with pytest.raises(Empty):
            queue.get(timeout=5)
        with pytest.raises(gevent.Timeout), gevent.Timeout(5):
            gevent.sleep(60)
        assert clock.elapsed_s == 15

        gevent.spawn_later(1, event.set)
        gevent.spawn_later(2, queue.put, "came")
        assert event.wait(5)
        assert queue.get(timeout=5) == "came"
        assert clock.elapsed_s == 17


def test_a_stopped_timer_does_not_fire() -> None:
    """A timer that is started anew fires when the new start says, and one that was stopped never does."""
    fired: list[float] = []
    with virtual_time() as clock:
        anew, stopped = (gevent.get_hub().loop.timer(10) for _ in range(2))
        anew.start(lambda: fired.append(clock.elapsed_s))
        stopped.start(lambda: fired.append(-1.0))
        gevent.sleep(5)
        stopped.stop()
        anew.start(lambda: fired.append(clock.elapsed_s))
        gevent.sleep(60)

    assert fired == [15.0]


def test_a_process_that_stands_still_wakes_late() -> None:
    """Of a sleep of 1 s, 3.5 s are made where nothing runs meanwhile."""
    with virtual_time() as clock:
        gevent.spawn(clock.stand_still, 3.5)
        gevent.sleep(1)
        assert clock.elapsed_s == 3.5


def test_the_wall_clock_is_set() -> None:
    """Only the time of day moves."""
    with virtual_time() as clock:
        before_s = time.monotonic()
        clock.set_wall_clock(3600)
        clock.set_wall_clock(-60)
        assert time.time() == START_UNIX_S + 3540
        assert time.monotonic() == before_s


def test_a_test_that_waits_forever_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can wake the test, or only what repeats itself forever, it ends with the reason."""

    def tick() -> None:
        while True:
            gevent.sleep(86_400)

    monkeypatch.setattr(module, "MAX_IDLE_S", 0.0)
    with virtual_time(), pytest.raises(RuntimeError, match="no timer"):
        Event().wait()
    with virtual_time():
        ticking = gevent.spawn(tick)
        with pytest.raises(RuntimeError, match="still waits"):
            Event().wait()
        ticking.kill()


class Paced(User):
    """A user that makes one request a second."""

    wait_time = constant_pacing(1)

    @task
    def ask(self) -> None:
        """Make a request of 100 ms."""
        gevent.sleep(0.1)
        self.environment.events.request.fire(
            request_type="GET", name="a", response_time=100, response_length=0, exception=None, context={}
        )


def test_a_run_of_locust() -> None:
    """Ten users who come at one a second, and make a request a second, make the same number each time."""
    made = []
    for _ in range(2):
        with virtual_time() as clock:
            runner = LocalRunner(Environment(user_classes=[Paced]))
            runner.environment.runner = runner
            runner.start(10, spawn_rate=1)
            gevent.sleep(59.95)
            made.append(runner.stats.total.num_requests)
            runner.quit()
            assert clock.elapsed_s < 61

    # The first user makes 60 requests, the tenth 51.
    assert made == [sum(range(51, 61))] * 2
