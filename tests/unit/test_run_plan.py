"""A run knows what is planned for each of its seconds, also when its schedule begins later than it."""

import gevent
from locust import LoadTestShape, User, task
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, Runner

import time
from argparse import Namespace
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.loads.arrival_shape import ArrivalShape
from plimsoll.loads.schedule import Schedule, Stage
from plimsoll.loads.scheduled_shape import ScheduledShape
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_plan import Planned, RunPlan, SpawnRamp, stage_facts, warm_up_of
from reports.load.run import STAGE_COLUMNS
from reports.verdict.checks import Check
from shapes.ramp import RampShape
from tests.judged import checks_of
from tests.make_csv import csv_run, samples
from tests.virtual_time import START_UNIX_S, virtual_time

ARRIVALS = ArrivalSchedule((RateStage("rise", 10, 0, 20), RateStage("hold", 20, 20, 20)), max_users=50)
USERS = Schedule((Stage("rise", 10, 0, 20), Stage("hold", 20, 20, 20)))


class Idle(User):
    """A user that does nothing."""

    @task
    def wait_for_the_end(self) -> None:
        """Sleep for longer than any test."""
        gevent.sleep(100_000)


class FewArrivals(ArrivalShape):
    """An open load."""

    stages = ARRIVALS.stages
    max_users = ARRIVALS.max_users


class FewUsers(ScheduledShape):
    """A closed load."""

    stages = USERS.stages


def environment_of(shape: Any, warm_up: str | None = None) -> Environment:
    """Return the environment of a run of this shape, or of none, with --run-time 60."""
    options = Namespace(
        user_scale=1.0, time_scale=1.0, run_time=60, warm_up=warm_up, spawn_rate=None, headless=False
    )
    return Environment(user_classes=[Idle], shape_class=shape, parsed_options=options)


def plan_of(shape: Any, warm_up: str | None = None, set_up_s: float = 0.0) -> RunPlan:
    """Return the plan of a run of this shape, or of none."""
    return RunPlan(environment_of(shape, warm_up), RunClock(), set_up_s)


def runner_with(users: int, target_users: int) -> Runner:
    """Return a runner in which so many users run, of those that it is to have."""
    known = {"target_user_count": target_users, "user_count": users, "shape_last_tick": None}
    return cast(Runner, SimpleNamespace(**known))


def at(monkeypatch: pytest.MonkeyPatch, shape: Any, position_s: float) -> None:
    """Have a shape be so far."""
    monkeypatch.setattr(shape, "get_run_time", lambda: position_s)


def test_without_a_schedule() -> None:
    """A run by hand plans what Locust was told, and has no stages."""
    plan = plan_of(None)

    assert plan.now(runner_with(7, 7)) == Planned(None, 7, None)
    assert plan.now(None) == Planned(None, None, None)
    assert plan.stage_of(int(time.time())) == ""
    assert not plan.has_changed()
    facts = plan.facts()
    assert (facts["load_model"], facts["shape"], facts["stages"]) == ("closed", None, [])
    assert facts["planned_duration_s"] == 60


def test_set_up_takes_its_time_from_the_run_time() -> None:
    """Locust counts -t from before test_start: of 60 s, 10 s of set-up leave 50 s of load."""
    assert plan_of(None, set_up_s=10.0).facts()["planned_duration_s"] == 50
    assert plan_of(None, set_up_s=70.0).run_time_s == 0
    facts = plan_of(FewUsers(), set_up_s=10.0).facts()
    assert (facts["planned_duration_s"], facts["set_up_s"]) == (30, 10.0)


def test_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed load plans users and no rate; it begins with the run."""
    shape = FewUsers()
    plan = plan_of(shape)
    at(monkeypatch, shape, 5.0)

    assert plan.elapsed_s == 5.0
    assert plan.now(None) == Planned("rise", 10, None)
    assert not plan.has_changed()
    assert plan.facts()["planned_duration_s"] == 30
    at(monkeypatch, shape, 31.0)
    assert plan.now(None) == Planned(None, None, None)


def test_arrivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open load plans a rate and no users."""
    shape = FewArrivals()
    plan = plan_of(shape)
    at(monkeypatch, shape, 5.0)

    assert plan.now(None) == Planned("rise", None, 10.0)
    facts = plan.facts()
    assert facts["load_model"] == "open"
    assert facts["arrivals"] == {"spacing": "even", "max_users": 50, "planned": 500, "began_s": None}


def test_arrivals_begin_later_than_their_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first users get ready nothing is planned; then the stages move to where they are played."""
    with virtual_time() as clock:
        shape = FewArrivals()
        plan = plan_of(shape)
        clock.stand_still(2)
        at(monkeypatch, shape, 0.0)

        assert plan.now(None) == Planned(None, None, None)
        assert plan.stage_of(int(time.time())) == ""
        assert not plan.has_changed()
        clock.stand_still(2)
        at(monkeypatch, shape, 1.5)
        assert plan.has_changed()
        assert not plan.has_changed()
    facts: Any = plan.facts()
    assert [(stage["from_s"], stage["to_s"]) for stage in facts["stages"]] == [(2.5, 12.5), (12.5, 32.5)]
    assert facts["planned_duration_s"] == 32.5
    assert facts["arrivals"]["began_s"] == 2.5


@pytest.mark.parametrize("shape", [FewUsers(), FewArrivals()])
def test_stage_of_a_second(monkeypatch: pytest.MonkeyPatch, shape: Any) -> None:
    """A second is of the stage of its middle; those in which the schedule began and ended are played too."""
    with virtual_time() as clock:
        clock.stand_still(0.25)
        plan = plan_of(shape)
        at(monkeypatch, shape, 15.0)  # it began 14.75 s before virtual time, its second stage 10 s later

        at_s = (-16, -15, -6, -5, 0, 15, 16)
        stages = [plan.stage_of(int(START_UNIX_S) + second) for second in at_s]
    assert stages == ["", "rise", "rise", "hold", "hold", "hold", ""]


def test_stage_facts() -> None:
    """Stages carry their start and end in seconds since the start of the run, scales applied."""
    first, second, third = stage_facts(RampShape().schedule.scaled(0.1, 0.01), 0.0)

    assert first == {"name": "ramp_up", "from_s": 0.0, "to_s": 3.0, "from_users": 0, "to_users": 100}
    assert (second["from_s"], second["to_s"]) == (3.0, 21.0)
    assert (third["from_s"], third["to_s"]) == (21.0, 24.0)


def test_stage_facts_of_arrivals() -> None:
    """Stages of an open load carry rates in place of users."""
    first, _ = stage_facts(ARRIVALS, 1.5)

    assert first == {"name": "rise", "from_s": 1.5, "to_s": 11.5, "from_rate": 0, "to_rate": 20}


def test_a_run_by_hand_warms_up() -> None:
    """Its first seconds are a stage of their own, and what follows is the load."""
    with virtual_time() as clock:
        plan, began_s = plan_of(None, warm_up="20s"), int(START_UNIX_S)
        assert plan.now(runner_with(7, 7)) == Planned("warm_up", 7, None)

        clock.stand_still(30)
        assert plan.now(runner_with(7, 7)) == Planned("load", 7, None)
        stages = [plan.stage_of(began_s + second) for second in (0, 19, 20)]
        assert stages == ["warm_up", "warm_up", "load"]
        assert plan.facts()["warm_up_s"] == 20


def test_a_schedule_warms_up_in_stages_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those at its beginning count, from the start of the run; a later one is a stage like others."""
    stages = [RateStage(name, 10, 5, 5) for name in ("warm_up", "hold", "rest")]
    shape = FewArrivals()
    monkeypatch.setattr(shape, "stages", stages)
    plan = plan_of(shape)
    plan.preparation_s = 1.5

    assert plan.facts()["warm_up_s"] == 11.5
    assert warm_up_of(USERS) == 0


class OwnStages(LoadTestShape):
    """The stages of Locust's own example: each number of users is reached at a spawn rate."""

    stages: tuple[tuple[float, int, float], ...] = (
        (60, 10, 10),
        (100, 50, 10),
        (180, 100, 10),
        (220, 30, 10),
        (230, 10, 10),
        (240, 1, 1),
    )

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Locust

    def tick(self) -> tuple[int, float] | None:
        """Return the users and the spawn rate of the stage that is played."""
        run_time_s: float = self.get_run_time()  # type: ignore[no-untyped-call]  # Locust
        return next(((users, rate) for until_s, users, rate in self.stages if run_time_s < until_s), None)


class OwnRamps(OwnStages):
    """Stages whose ramps take most of them, up and down, at less than one user a second and at more."""

    stages = ((60, 20, 0.5), (100, 60, 1.5), (150, 3, 1.2))


def load_reached(
    shape: LoadTestShape | None, act_at_s: float = 0.0, act: Callable[[LocalRunner], object] = id
) -> Check:
    """Return how the load of a run is judged, without a shape one of 2 users; *act* is done in its middle."""
    environment = environment_of(shape)
    plans: list[RunPlan] = []
    started: Any = environment.events.test_start
    started.add_listener(lambda **_: plans.append(RunPlan(environment, RunClock(), 0.0)))
    rows: list[tuple[float, int | None, int]] = []
    with virtual_time() as clock:
        runner = environment.create_local_runner()
        if shape:
            runner.start_shape()
        else:
            runner.start(2, 1)
        acting = gevent.spawn_later(act_at_s, act, runner)
        gevent.sleep(0.35)  # nothing says at which moment of a second the journal is written
        while clock.elapsed_s < 240 and runner.state != "stopped":
            rows.append((plans[0].elapsed_s, plans[0].now(runner).users, runner.user_count))
            gevent.sleep(1)
        acting.join()
        runner.quit()
    seconds = pd.DataFrame(rows, columns=["elapsed_s", "planned_users", "users"], dtype=float)
    run = csv_run({"a": samples(99)}, stages=seconds.reindex(columns=list(STAGE_COLUMNS)))
    return checks_of(run, None)["load_reached"]


@pytest.mark.parametrize("shape", [OwnStages, OwnRamps])
def test_ramps_of_a_shape_of_ones_own_are_on_plan(shape: type[OwnStages]) -> None:
    """Each change of the users that a shape asks for is planned at the spawn rate that it asks for."""
    reached = load_reached(shape())
    assert (reached.ok, reached.value) == (True, 1.0)


def stop_most(runner: LocalRunner) -> None:
    """Have half of the users end by themselves, which Locust does not replace."""
    for user in list(runner.user_greenlets)[: runner.user_count // 2]:
        user.kill()


def test_users_that_a_shape_asked_for_and_that_are_gone_are_missed() -> None:
    """Where half of the users end on their own, the load is not what the shape asked for."""
    assert not load_reached(OwnStages(), act_at_s=120, act=stop_most).ok
    assert not load_reached(None, act_at_s=120, act=stop_most).ok


def test_users_added_by_hand_are_on_plan() -> None:
    """Locust's key W adds ten users at once, whatever the spawn rate of the run is."""
    assert load_reached(None, act_at_s=100, act=lambda runner: runner.start(runner.user_count + 10, 100)).ok


@pytest.mark.parametrize(
    ("rate", "planned"),
    [
        (1.0, [1, 2, 3, 4, 5, 6]),
        (2.5, [2, 4, 6, 8, 10, 10]),  # batches of 2, each 0.8 s
        (0.4, [1, 1, 1, 2, 2, 3]),  # one each 2.5 s
        (100.0, [10] * 6),
    ],
)
def test_spawn_ramp(rate: float, planned: list[int]) -> None:
    """The first batch is there at once, the others when the rate wants them; stopping is like starting."""
    up, down = SpawnRamp(), SpawnRamp()
    assert [up.users_at(second, 10, rate, 0) for second in range(6)] == planned
    assert [down.users_at(second, 0, rate, 10) for second in range(6)] == [10 - users for users in planned]


def test_a_new_target_is_reached_from_the_users_that_are_there() -> None:
    """A shape may change its mind in a ramp, and ask for halves of users."""
    ramp = SpawnRamp()
    assert ramp.users_at(0, 10, 1, 0) == 1
    assert ramp.users_at(4, 2.5, 1, 5) == 4
    assert ramp.users_at(9, 2.5, 1, 2) == 2
    assert ramp.users_at(10, 4.5, 9, 2) == 5


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_users_may_be_there_when_the_ramp_is_seen(first: int) -> None:
    """A ramp by one user in 5 s is planned from where it began, whether its first user is there or gone."""
    ramp = SpawnRamp()
    assert [ramp.users_at(second, 3, 0.2, first) for second in (0, 1, 4, 5, 10)] == [1, 1, 1, 2, 3]
    ramp.users_at(20, 3, 0.2, 3)
    assert [ramp.users_at(second, 1, 0.2, 3 - first) for second in (21, 22, 25, 26)] == [2, 2, 2, 1]


def test_a_ramp_begins_where_the_one_before_has_ended() -> None:
    """Of 100 users 10 were left within the second before, and go on to 1: they are not 100 again."""
    ramp = SpawnRamp()
    ramp.users_at(0, 100, 100, 100)
    assert [ramp.users_at(second, 1, 1, 10) for second in (1, 2, 3)] == [10, 9, 8]


def test_a_master_knows_its_spawn_rate() -> None:
    """A master ramps before its shape's last tick is known; it has the rate of the ramp itself."""
    runner = Master()
    assert plan_of(OwnStages()).now(runner) == Planned(None, 5, None)


class Master(MasterRunner):
    """A master in a ramp to 10 users at 5 a second, without a network."""

    target_user_count, spawn_rate, user_count = 10, 5.0, 0

    def __init__(self) -> None:
        pass

    def __del__(self) -> None:
        """There is nothing to clean up."""


class OwnWithCommonOptions(OwnStages):
    """A shape that shows --run-time in the web UI; Locust heeds it no more than with others."""

    use_common_options = True


@pytest.mark.parametrize(
    ("shape", "planned_s"),
    [(None, 60), (OwnStages(), None), (OwnWithCommonOptions(), None), (FewUsers(), 30)],
)
def test_run_time_is_no_plan_of_a_shape(shape: LoadTestShape | None, planned_s: float | None) -> None:
    """Locust ends a run with a shape when the shape says so, whatever --run-time is."""
    plan = plan_of(shape)
    assert plan.facts()["planned_duration_s"] == planned_s
    assert plan.run_time_s == (None if shape else 60)
