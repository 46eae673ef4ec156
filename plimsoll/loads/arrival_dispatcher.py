"""Hands a process's part of the arrivals to its users, each at its intended start."""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import LocalRunner, Runner, WorkerRunner

import itertools
import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

from plimsoll.context import execution_of, follow_users
from plimsoll.listening import listen_first
from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage, Spacing
from plimsoll.loads.idle_users import IdleUserPool
from plimsoll.loads.intended_starts import UserRegistry, is_paced

# Not an option that anybody types: Locust's master hands its options to the workers with the first users, so
# that these know from their start whether they wait for arrivals.
ARRIVALS_OPTION = "plimsoll_arrivals"
ASSIGNMENT_MESSAGE = "plimsoll_assignment"
REPORT_MESSAGE = "plimsoll_arrival_users"
REPORT_INTERVAL_S = 0.5
# With all users there, an arrival that finds none free waits for so long from when that was noticed, so that
# bursts pass: random arrivals that keep 20 users of 50 ms busy to 90 % lose 0.1 % of them with it and 11 %
# without. At 120 % they lose the sixth that is too much with it, and a quarter without.
DROP_AFTER_S = 0.1


class Assignment(NamedTuple):
    """What a process receives: the schedule, its own part of it, and how far the run is."""

    stages: list[tuple[str, float, float, float]]
    max_users: int
    spacing: Spacing
    seed: int
    part: int
    parts: int
    from_s: float
    elapsed_s: float
    at_max_users: bool

    @property
    def schedule(self) -> ArrivalSchedule:
        """The schedule of the whole run."""
        return ArrivalSchedule(
            tuple(RateStage(*stage) for stage in self.stages), self.max_users, self.spacing, self.seed
        )


class Report(NamedTuple):
    """What a process sends back: its users, and how many it takes to have all that is due under way."""

    users: int
    starting: int
    busy: int
    needed: int
    is_over: bool


class ArrivalDispatcher:
    """Hands the arrivals of one run to the users of this process, by an absolute schedule."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._execution = runner, execution_of(runner.environment)
        self.pool = IdleUserPool()
        self.users = UserRegistry(self.pool)
        self._assignment: Assignment | None = None
        self._began_s = 0.0
        self._starts: Iterator[float] = iter(())
        self._awaited: list[float] = []
        self._is_over = False
        self._dispatching: gevent.Greenlet | None = None
        self._reporting = gevent.spawn(self._report)

    def close(self) -> None:
        """Stop dispatching, and drop what is due and has not begun."""
        gevent.killall([greenlet for greenlet in (self._dispatching, self._reporting) if greenlet])
        self._drop(math.inf)

    def apply_assignment(self, assignment: Assignment) -> None:
        """Follow this assignment from its moment on; the one before ends there."""
        before, self._assignment = self._assignment, assignment
        starts = assignment.schedule.starts(assignment.part, assignment.parts, assignment.from_s)
        if before is None:
            self._began_s = perf_counter() - assignment.elapsed_s
            self.pool.skip_draws(assignment.part)
        elif before[:-2] == assignment[:-2]:
            return
        else:
            assert self._dispatching is not None
            self._dispatching.kill()
            rest = itertools.chain(self._awaited, self._starts)
            starts = itertools.chain(
                itertools.takewhile(lambda start_s: start_s < assignment.from_s, rest), starts
            )
        self._starts, self._awaited = starts, []
        self._dispatching = gevent.spawn(self._dispatch, assignment.schedule.duration_s)

    def _dispatch(self, duration_s: float) -> None:
        for start_s in self._starts:
            self._awaited = [start_s]
            intended_s = self._began_s + start_s
            self._wait_until(intended_s)
            self.pool.arrive(intended_s, perf_counter())
            self._awaited = []
        self._wait_until(self._began_s + duration_s)
        # The load has ended: nothing begins any more.
        self._drop(math.inf)
        self._is_over = True

    def _wait_until(self, moment_s: float) -> None:
        while (wait_s := moment_s - perf_counter()) > 0:
            gevent.sleep(min(wait_s, self._drop_overdue()))

    def _drop_overdue(self) -> float:
        """Drop what has waited too long, and return the seconds until more may have to be dropped."""
        assert self._assignment is not None
        if not self._assignment.at_max_users or self._starting:
            return math.inf
        oldest_s = self.pool.oldest_noticed_s()
        if oldest_s is None:
            return math.inf
        now_s = perf_counter()
        if oldest_s + DROP_AFTER_S > now_s:
            return oldest_s + DROP_AFTER_S - now_s
        self._drop(now_s - DROP_AFTER_S)
        return DROP_AFTER_S

    def _drop(self, noticed_before_s: float) -> None:
        """Count the arrivals that have been due since before a moment: they will never start."""
        self._execution.dropped += self.pool.drop(noticed_before_s)

    @property
    def _starting(self) -> int:
        """Users who have not come as far as their first iteration, and are more than there were before."""
        return self._runner.user_count - self.users.present - len(self.users.replacing)

    def _report(self) -> None:
        while True:
            gevent.sleep(REPORT_INTERVAL_S)
            report = Report(
                self.pool.users, self._starting, self.pool.busy, self.pool.needed_users, self._is_over
            )
            try:
                self._runner.send_message(REPORT_MESSAGE, report._asdict())
            except RPCError:  # Locust itself says so and connects again; the next report will come
                continue


class RunFollower:
    """Has each run of this process start its iterations as its schedule says, if it has one."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        self._environment, self._runner = environment, runner
        self._dispatcher: ArrivalDispatcher | None = None

        def on_assignment(environment: Environment, msg: Message) -> None:  # noqa: ARG001 - Locust's names
            if self._dispatcher:
                self._dispatcher.apply_assignment(Assignment(**msg.data))

        runner.register_message(ASSIGNMENT_MESSAGE, on_assignment)
        environment.events.test_start.add_listener(self._on_test_start)
        listen_first(environment.events.test_stop, self._close)

    def _on_test_start(self, **_: Any) -> None:
        self._close()
        users = UserRegistry() if is_paced(self._environment.user_classes) else None
        if getattr(self._environment.parsed_options, ARRIVALS_OPTION, False):
            self._dispatcher = ArrivalDispatcher(self._runner)
            users = self._dispatcher.users
        execution_of(self._environment).task_starts = users

    def _close(self, **_: Any) -> None:
        if self._dispatcher:
            self._dispatcher.close()
        self._dispatcher = None


def keep_intended_starts(environment: Environment, runner: Runner | None, **_: Any) -> None:
    """Have a process that has users start their iterations as intended, wherever there is a schedule."""
    if isinstance(runner, LocalRunner | WorkerRunner):
        follow_users()
        RunFollower(environment, runner)
