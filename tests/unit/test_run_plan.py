"""A run knows what is planned for each of its seconds, also when its schedule begins later than it."""

from locust.env import Environment

import time
from argparse import Namespace
from typing import Any

import pytest

from shapes._arrival_shape import ArrivalShape
from shapes._scheduled import ScheduledShape
from shapes.arrivals import ArrivalSchedule, RateStage
from shapes.loads import RAMP
from shapes.schedule import Schedule, Stage
from telemetry.run_plan import Planned, RunPlan, stage_facts, warm_up_of

ARRIVALS = ArrivalSchedule((RateStage("rise", 10, 0, 20), RateStage("hold", 20, 20, 20)), most_users=50)
USERS = Schedule((Stage("rise", 10, 0, 20), Stage("hold", 20, 20, 20)))


class FewArrivals(ArrivalShape):
    """An open load."""

    schedule = ARRIVALS


class FewUsers(ScheduledShape):
    """A closed load."""

    schedule = USERS


def plan_of(shape: Any, warm_up: str | None = None, set_up_s: float = 0.0) -> RunPlan:
    """Return the plan of a run of this shape, or of none."""
    options = Namespace(user_scale=1.0, time_scale=1.0, run_time=60, warm_up=warm_up)
    environment = Environment(shape_class=shape, parsed_options=options)
    environment.runner = None
    return RunPlan(environment, set_up_s)


def at(monkeypatch: pytest.MonkeyPatch, shape: Any, position_s: float) -> None:
    """Have a shape be so far."""
    monkeypatch.setattr(shape, "get_run_time", lambda: position_s)


def test_without_a_schedule() -> None:
    """A run by hand plans what Locust was told, and has no stages."""
    plan = plan_of(None)

    assert plan.now(7) == Planned(None, 7, None)
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
    assert plan.now(7) == Planned("rise", 10, None)
    assert not plan.has_changed()
    assert plan.facts()["planned_duration_s"] == 30
    at(monkeypatch, shape, 31.0)
    assert plan.now(7) == Planned(None, None, None)


def test_arrivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open load plans a rate and no users."""
    shape = FewArrivals()
    plan = plan_of(shape)
    at(monkeypatch, shape, 5.0)

    assert plan.now(7) == Planned("rise", None, 10.0)
    facts = plan.facts()
    assert facts["load_model"] == "open"
    assert facts["arrivals"] == {"spacing": "even", "most_users": 50, "planned": 500, "began_s": None}


def test_arrivals_begin_later_than_their_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first users get ready nothing is planned; then the stages move to where they are played."""
    now_s = 100.0
    monkeypatch.setattr("telemetry.run_plan.time.monotonic", lambda: now_s)
    shape = FewArrivals()
    plan = plan_of(shape)
    now_s = 102.0
    at(monkeypatch, shape, 0.0)

    assert plan.now(7) == Planned(None, None, None)
    assert plan.stage_of(int(time.time())) == ""
    assert not plan.has_changed()
    now_s = 104.0
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
    monkeypatch.setattr("telemetry.run_plan.time.time", lambda: 1000.25)
    plan = plan_of(shape)
    at(monkeypatch, shape, 15.0)  # it began at 985.25, and its second stage at 995.25

    stages = [plan.stage_of(second) for second in (984, 985, 994, 995, 1000, 1015, 1016)]
    assert stages == ["", "rise", "rise", "hold", "hold", "hold", ""]


def test_stage_facts() -> None:
    """Stages carry their start and end in seconds since the start of the run, scales applied."""
    first, second, third = stage_facts(RAMP.scaled(0.1, 0.01), 0.0)

    assert first == {"name": "ramp_up", "from_s": 0.0, "to_s": 3.0, "from_users": 0, "to_users": 100}
    assert (second["from_s"], second["to_s"]) == (3.0, 21.0)
    assert (third["from_s"], third["to_s"]) == (21.0, 24.0)


def test_stage_facts_of_arrivals() -> None:
    """Stages of an open load carry rates in place of users."""
    first, _ = stage_facts(ARRIVALS, 1.5)

    assert first == {"name": "rise", "from_s": 1.5, "to_s": 11.5, "from_rate": 0, "to_rate": 20}


def test_no_stages_without_a_schedule() -> None:
    """A run by hand has no stages."""
    assert stage_facts(None, 0.0) == []


def test_a_run_by_hand_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first seconds are a stage of their own, and what follows is the load."""
    monkeypatch.setattr("telemetry.run_plan.time.time", lambda: 1000.0)
    monkeypatch.setattr("telemetry.run_plan.time.monotonic", lambda: 50.0)
    plan = plan_of(None, warm_up="20s")
    assert plan.now(7) == Planned("warm_up", 7, None)

    monkeypatch.setattr("telemetry.run_plan.time.monotonic", lambda: 80.0)  # it began at 970
    assert plan.now(7) == Planned("load", 7, None)
    assert [plan.stage_of(second) for second in (970, 989, 990)] == ["warm_up", "warm_up", "load"]
    assert plan.facts()["warm_up_s"] == 20


def test_a_schedule_warms_up_in_stages_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those at its beginning count, from the start of the run; a later one is a stage like others."""
    stages = [RateStage(name, 10, 5, 5) for name in ("warm_up", "hold", "rest")]
    shape = FewArrivals()
    monkeypatch.setattr(shape, "schedule", ArrivalSchedule(tuple(stages), most_users=5))
    plan = plan_of(shape)
    plan.preparation_s = 1.5

    assert plan.facts()["warm_up_s"] == 11.5
    assert warm_up_of(USERS) == 0
