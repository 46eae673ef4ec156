"""Scheduled iterations: what is counted, and who is told."""

import gevent
import gevent.event

import math
import time
from typing import Any

import pytest

from plimsoll.loads.iterations import Iterations, watch_spawns


class Shopper:
    """A user class."""


@pytest.fixture
def iterations() -> Iterations:
    """Return the iterations of a process with a schedule."""
    iterations = Iterations()
    iterations.is_scheduled = True
    watch_spawns()
    return iterations


def test_no_schedule_no_delay() -> None:
    """Without a schedule nobody knows how late a request is."""
    assert math.isnan(Iterations().consume_start_delay_ms())


def test_only_the_first_request_waits(iterations: Iterations) -> None:
    """Whoever arrives waits once: the first request of an iteration has its delay, the others none."""
    iterations.start(0.025)

    assert [iterations.consume_start_delay_ms() for _ in range(3)] == [25.0, 0.0, 0.0]


def test_requests_outside_of_iterations_are_not_late(iterations: Iterations) -> None:
    """Signing in before the first arrival, and what follows the last, is not scheduled."""
    before = iterations.consume_start_delay_ms()
    iteration = iterations.start(0.5)
    iterations.end(iteration, Shopper, "Shopper.browse")

    assert (before, iterations.consume_start_delay_ms()) == (0.0, 0.0)


def test_greenlets_have_iterations_of_their_own(iterations: Iterations) -> None:
    """The delay of one user is not taken by the request of another."""
    iterations.start(0.025)
    gevent.spawn(iterations.start, 0.5).join()

    assert iterations.consume_start_delay_ms() == 25.0


def test_requests_side_by_side_belong_to_their_iteration(iterations: Iterations) -> None:
    """Of requests in greenlets of their own the first has the delay, one that fails, its iteration."""
    asked: list[float] = []

    def ask() -> None:
        asked.append(iterations.consume_start_delay_ms())
        iterations.fail()

    def visit() -> bool:
        iteration = iterations.start(0.5)
        gevent.joinall([gevent.spawn(ask) for _ in range(3)], raise_error=True)
        iterations.end(iteration, Shopper, "Shopper.browse")
        return iteration.failed

    assert gevent.spawn(visit).get() is True
    assert asked == [500.0, 0.0, 0.0]


def test_what_is_spawned_before_an_iteration_is_of_none(iterations: Iterations) -> None:
    """A greenlet that listens from before the first iteration on takes the delay of none."""
    begun, asked = gevent.event.Event(), list[float]()

    def listen() -> None:
        begun.wait()
        asked.append(iterations.consume_start_delay_ms())

    def visit() -> float:
        listening = gevent.spawn(listen)
        iterations.start(0.5)
        begun.set()
        listening.join()
        return iterations.consume_start_delay_ms()

    assert gevent.spawn(visit).get() == 500.0
    assert asked == [0.0]


def test_what_outlives_its_iteration_is_of_no_other(iterations: Iterations) -> None:
    """A greenlet that goes on asking does not take the delay of the iterations that follow."""
    asked: list[float] = []

    def go_on() -> None:
        for _ in range(2):
            asked.append(iterations.consume_start_delay_ms())
            gevent.sleep(0)

    def visit() -> float:
        iteration = iterations.start(0.5)
        listening = gevent.spawn(go_on)
        gevent.sleep(0)
        iterations.end(iteration, Shopper, "Shopper.browse")
        iterations.start(0.25)
        listening.join()
        return iterations.consume_start_delay_ms()

    assert gevent.spawn(visit).get() == 250.0
    assert asked == [500.0, 0.0]


def test_counts(iterations: Iterations) -> None:
    """An iteration is late from 10 ms on; one that never starts is dropped and nothing else."""
    for delay_s in (0.0, 0.010, 0.011, 3.0):
        iterations.start(delay_s)
    iterations.drop(1)

    assert (iterations.started, iterations.late, iterations.dropped) == (4, 2, 1)


def test_listeners_are_told_of_the_end(iterations: Iterations) -> None:
    """The intended start is as long before the actual one as the iteration was late."""
    told: list[tuple[Any, ...]] = []
    listener: Any = lambda *what, failed, **_: told.append((*what, failed))  # noqa: E731 - to be removed by its name

    iterations.add_listener(listener)
    before_s = time.monotonic()
    iterations.end(iterations.start(2.0), Shopper, "Shopper.browse")
    iterations.remove_listener(listener)
    iterations.end(iterations.start(0.0), Shopper, "Shopper.browse")

    (user_class, name, intended_s, started_s, ended_s, failed) = told[0]
    assert (len(told), user_class, name, failed) == (1, Shopper, "Shopper.browse", False)
    assert started_s - intended_s == pytest.approx(2.0)
    assert before_s <= started_s <= ended_s <= time.monotonic()


def test_a_failed_request_fails_its_iteration(iterations: Iterations) -> None:
    """What goes wrong belongs to the iteration in which it does, and to no other."""
    told: list[bool] = []
    iterations.add_listener(lambda *_, failed, cut_off: told.append(failed and not cut_off))
    for goes_wrong in (True, False):
        iteration = iterations.start(0.0)
        if goes_wrong:
            iterations.fail()
        iterations.end(iteration, Shopper, "Shopper.browse")
    iterations.fail()  # outside of an iteration: nothing to fail

    assert told == [True, False]


def test_cut_off_is_not_an_end(iterations: Iterations) -> None:
    """An iteration that was cut off is told of as such: nobody knows how long it would have taken."""
    told: list[tuple[bool, bool]] = []
    iterations.add_listener(lambda *_, failed, cut_off: told.append((failed, cut_off)))
    iterations.end(iterations.start(0.5), Shopper, "Shopper.browse", cut_off=True)

    assert told == [(False, True)]
    assert iterations.consume_start_delay_ms() == 0.0
