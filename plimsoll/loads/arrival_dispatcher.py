"""The load side of one process: its share of the arrivals handed to its users, each at its intended start."""

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

from plimsoll.listening import listen_first
from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage, Spacing
from plimsoll.loads.idle_users import WaitingRoom
from plimsoll.loads.intended_starts import GATE, is_paced, watch_task_sets
from plimsoll.loads.iterations import ITERATIONS

# Not an option that anybody types: Locust's master hands its options to the workers with the first users, so
# that these know from their start whether they wait for arrivals.
ARRIVALS_OPTION = "plimsoll_arrivals"
SHARE_MESSAGE = "plimsoll_share"
REPORT_MESSAGE = "plimsoll_arrival_users"
REPORT_INTERVAL_S = 0.5
# With all users there, an arrival that finds none free waits for so long from when that was noticed, so that
# bursts pass: random arrivals that keep 20 users of 50 ms busy to 90 % lose 0.1 % of them with it and 11 %
# without. At 120 % they lose the sixth that is too much with it, and a quarter without.
DROP_AFTER_S = 0.1


class Share(NamedTuple):
    """What a process receives: the schedule, its own part of it, and how far the run is."""

    stages: list[tuple[str, float, float, float]]
    max_users: int
    spacing: Spacing
    seed: int
    part: int
    parts: int
    from_s: float
    elapsed_s: float
    is_full: bool

    @property
    def schedule(self) -> ArrivalSchedule:
        """The schedule of the whole run."""
        return ArrivalSchedule(
            tuple(RateStage(*stage) for stage in self.stages), self.max_users, self.spacing, self.seed
        )


class Report(NamedTuple):
    """What a process tells: its users, and those that it takes to have what is due and under way at once."""

    users: int
    starting: int
    busy: int
    needed: int
    is_over: bool


class ArrivalDesk:
    """Hands the arrivals of one run to the users of this process, by an absolute schedule."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.room = WaitingRoom()
        self._share: Share | None = None
        self._began_s = 0.0
        self._starts: Iterator[float] = iter(())
        self._awaited: list[float] = []
        self._is_over = False
        self._handing: gevent.Greenlet | None = None
        self._reporting = gevent.spawn(self._report)

    def close(self) -> None:
        """Hand over no more; what is due and has not begun never will."""
        gevent.killall([greenlet for greenlet in (self._handing, self._reporting) if greenlet])
        ITERATIONS.drop(self.room.drop(math.inf))

    def take_share(self, share: Share) -> None:
        """Go by this share from its moment on; the one before ends there."""
        before, self._share = self._share, share
        starts = share.schedule.starts(share.part, share.parts, share.from_s)
        if before is None:
            self._began_s = perf_counter() - share.elapsed_s
            self.room.skip_draws(share.part)
        elif before[:-2] == share[:-2]:
            return
        else:
            assert self._handing is not None
            self._handing.kill()
            rest = itertools.chain(self._awaited, self._starts)
            starts = itertools.chain(
                itertools.takewhile(lambda start_s: start_s < share.from_s, rest), starts
            )
        self._starts, self._awaited = starts, []
        self._handing = gevent.spawn(self._hand_over, share.schedule.duration_s)

    def _hand_over(self, duration_s: float) -> None:
        for start_s in self._starts:
            self._awaited = [start_s]
            intended_s = self._began_s + start_s
            self._wait_until(intended_s)
            self.room.arrive(intended_s, perf_counter())
            self._awaited = []
        self._wait_until(self._began_s + duration_s)
        # The load has ended: nothing begins any more.
        ITERATIONS.drop(self.room.drop(math.inf))
        self._is_over = True

    def _wait_until(self, moment_s: float) -> None:
        while (wait_s := moment_s - perf_counter()) > 0:
            gevent.sleep(min(wait_s, self._drop_overdue()))

    def _drop_overdue(self) -> float:
        """Drop what waits in vain, and return the seconds until there may be more of it."""
        assert self._share is not None
        oldest_s = self.room.oldest_noticed_s() if self._share.is_full and not self._starting else None
        if oldest_s is None:
            return math.inf
        now_s = perf_counter()
        if oldest_s + DROP_AFTER_S > now_s:
            return oldest_s + DROP_AFTER_S - now_s
        ITERATIONS.drop(self.room.drop(now_s - DROP_AFTER_S))
        return DROP_AFTER_S

    @property
    def _starting(self) -> int:
        """Users who have not come as far as their first iteration, and are more than there were before."""
        return self._runner.user_count - GATE.present - len(GATE.replacing)

    def _report(self) -> None:
        while True:
            gevent.sleep(REPORT_INTERVAL_S)
            report = Report(
                self.room.users, self._starting, self.room.busy, self.room.needed_users, self._is_over
            )
            try:
                self._runner.send_message(REPORT_MESSAGE, report._asdict())
            except RPCError:  # Locust itself says so and connects again; the next report will come
                continue


class RunFollower:
    """Has each run of this process start its iterations as its schedule says, if it has one."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        self._environment, self._runner = environment, runner
        self._desk: ArrivalDesk | None = None
        runner.register_message(SHARE_MESSAGE, self._on_share)
        environment.events.test_start.add_listener(self._on_test_start)
        listen_first(environment.events.test_stop, self._on_test_stop)

    def _on_test_start(self, **_: Any) -> None:
        self._close()
        is_open = getattr(self._environment.parsed_options, ARRIVALS_OPTION, False)
        if is_open:
            self._desk = ArrivalDesk(self._runner)
            GATE.room = self._desk.room
        ITERATIONS.is_scheduled = is_open or is_paced(self._environment.user_classes)

    def _on_test_stop(self, **_: Any) -> None:
        self._close()

    def _close(self) -> None:
        if self._desk:
            self._desk.close()
        self._desk = GATE.room = None

    def _on_share(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's names
        if self._desk:
            self._desk.take_share(Share(**msg.data))


def keep_intended_starts(environment: Environment, runner: Runner | None, **_: Any) -> None:
    """Have a process that has users start their iterations as intended, wherever there is a schedule."""
    if isinstance(runner, LocalRunner | WorkerRunner):
        watch_task_sets()
        RunFollower(environment, runner)
