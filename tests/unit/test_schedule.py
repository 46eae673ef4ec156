"""Schedules are pure functions of elapsed seconds."""

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.loads.arrival_schedule import RateStage
from plimsoll.loads.schedule import HOUR, MINUTE, Schedule, ScheduleError, Stage
from shapes.__main__ import find_shapes

LOADS = {name: shape.schedule for name, shape in find_shapes().items()}
MORNING_LOGIN_SURGE = LOADS["morning_login_surge"]
PARENT_EVENING = LOADS["parent_evening"]
PEAK_HOURS = LOADS["peak_hours"]
POOL_PHASES = LOADS["pool_phases"]
RAMP = LOADS["ramp"]
SHOP = LOADS["shop"]
SOAK = LOADS["soak"]
SPIKE = LOADS["spike"]
STRESS = LOADS["stress"]

stages = st.lists(
    st.tuples(st.floats(0.1, 1000), st.integers(0, 1000), st.integers(1, 1000)), min_size=1, max_size=6
).map(lambda rows: tuple(Stage(f"stage_{number}", *row) for number, row in enumerate(rows)))
scales = st.floats(0.001, 10)
scales_of_loads = st.floats(0.03, 10)  # smaller ones may leave no arrival, which is refused


@pytest.mark.parametrize(
    ("schedule", "elapsed_s", "users"),
    [
        pytest.param(RAMP, 0, 0, id="the ramp starts with nobody"),
        pytest.param(RAMP, 150, 500, id="half of the way up is half of the users"),
        pytest.param(RAMP, 5 * MINUTE, 1000, id="the hold starts at its level"),
        pytest.param(RAMP, 35 * MINUTE - 1, 1000, id="the hold ends at its level"),
        pytest.param(RAMP, 37.5 * MINUTE, 500, id="half of the way down is half of the users"),
        pytest.param(RAMP, 40 * MINUTE, None, id="the ramp ends after 40 minutes"),
        pytest.param(SPIKE, 0, 100, id="the spike starts at its baseline"),
        pytest.param(SPIKE, 75, 5050, id="15 s into the rise are half of the 9,900 more users"),
        pytest.param(SPIKE, 90, 10_000, id="the peak is there after 30 s"),
        pytest.param(SPIKE, 269, 10_000, id="the peak lasts 3 minutes"),
        pytest.param(SPIKE, 300, 100, id="the fall takes 30 s"),
        pytest.param(SPIKE, 419, 100, id="the recovery lasts 2 minutes"),
        pytest.param(SPIKE, 435, 50, id="and it ends in a ramp down of 30 s"),
        pytest.param(SPIKE, 450, None, id="the spike ends after 7.5 minutes"),
        pytest.param(SOAK, 5 * MINUTE, 5000, id="the soak holds 5,000 users"),
        pytest.param(SOAK, 5 * MINUTE + 8 * HOUR - 1, 5000, id="for 8 hours"),
        pytest.param(SOAK, 5 * MINUTE + 8 * HOUR, None, id="and then ends"),
        pytest.param(PEAK_HOURS, 10 * MINUTE - 1, 0, id="the peak hours start after 10 minutes"),
        pytest.param(PEAK_HOURS, 15 * MINUTE, 5000, id="with 5,000 users 5 minutes later"),
        pytest.param(PEAK_HOURS, 32.5 * MINUTE, 3500, id="which fall to 2,000 in 5 minutes"),
        pytest.param(PEAK_HOURS, 45 * MINUTE - 1, 2000, id="for 10 minutes"),
        pytest.param(PEAK_HOURS, 50 * MINUTE, 8000, id="and rise to 8,000"),
        pytest.param(PEAK_HOURS, 70 * MINUTE, None, id="the peak hours end after 70 minutes"),
        pytest.param(SHOP, 2 * MINUTE, 10, id="the shop has 10 users after 2 minutes"),
        pytest.param(SHOP, 12 * MINUTE, 75, id="75 half-way from 50 to 100"),
        pytest.param(SHOP, 22 * MINUTE, 200, id="and 200 after 22 minutes"),
        pytest.param(SHOP, 24 * MINUTE, None, id="the shop's load ends after 24 minutes"),
        pytest.param(STRESS, 7 * MINUTE - 1, 100, id="the stress test holds 100 users first"),
        pytest.param(STRESS, 22 * MINUTE, 7500, id="on the stairs between 5,000 and 10,000"),
        pytest.param(STRESS, 35 * MINUTE - 1, 20_000, id="it holds 20,000 users at its end"),
        pytest.param(STRESS, 40 * MINUTE, 10_050, id="and recovers on the way back to 100"),
        pytest.param(STRESS, 45 * MINUTE, None, id="within 10 minutes"),
        pytest.param(POOL_PHASES, 5, 15, id="the pool's phases last 5 s each"),
        pytest.param(POOL_PHASES, 24.9, 1, id="the last one with a single user"),
        pytest.param(MORNING_LOGIN_SURGE, 5 * MINUTE, 25_000, id="the surge takes 10 minutes"),
        pytest.param(MORNING_LOGIN_SURGE, 1 * HOUR, None, id="of an hour"),
        pytest.param(PARENT_EVENING, 1 * HOUR, 20_000, id="the parents' evening peaks at 20,000"),
        pytest.param(PARENT_EVENING, 2 * HOUR, None, id="and takes 2 hours"),
    ],
)
def test_users_at(schedule: Schedule, elapsed_s: float, users: int | None) -> None:
    """Each load has the users planned for it at the seconds planned for it."""
    assert schedule.users_at(elapsed_s) == users


@pytest.mark.parametrize(
    ("elapsed_s", "stage"),
    [(0, "ramp_up"), (300, "hold"), (2099.9, "hold"), (2100, "ramp_down"), (2400, None)],
)
def test_stage_at(elapsed_s: float, stage: str | None) -> None:
    """A second that ends one stage belongs to the next."""
    assert RAMP.stage_at(elapsed_s) == stage


def test_negative_time_is_refused() -> None:
    """There is no load before the start."""
    with pytest.raises(ValueError, match=r"elapsed_s must be at least 0, got -1"):
        RAMP.users_at(-1)


@pytest.mark.parametrize("name", LOADS)
@given(scales_of_loads, scales_of_loads, st.floats(0, 1))
def test_every_load(name: str, user_scale: float, time_scale: float, share: float) -> None:
    """At any scale a load stays within its peak, is in a stage up to its end, and then in none."""
    load = LOADS[name].scaled(user_scale, time_scale)
    elapsed_s = share * load.duration_s * 0.999

    if isinstance(load, Schedule):
        users = load.users_at(elapsed_s)
        assert users is not None
        assert 0 <= users <= load.peak_users
    else:
        rate = load.rate_at(elapsed_s)
        assert rate is not None
        assert 0 <= rate <= load.peak_rate * (1 + 1e-9)
    assert load.stage_at(elapsed_s) in {stage.name for stage in load.stages}
    assert load.stage_at(load.duration_s + 1e-3) is None


@pytest.mark.parametrize("name", LOADS)
def test_every_load_is_whole_at_full_size(name: str) -> None:
    """A stage goes straight from one level to the other, and begins at the level where the last one ended."""
    load = LOADS[name]
    jumps = {"double_spike", "gradual_arrivals", "arrival_phases", "pool_phases", "breakpoint"}

    for before, after in pairwise(load.stages):
        assert name in jumps or before[3] == after[2]


def test_the_area_is_in_user_hours() -> None:
    """1,000 users for half an hour, and on the ramps of 5 minutes each 500 on average."""
    assert RAMP.user_hours == pytest.approx(500 + 2 * 500 * 5 / 60)


def test_scaled_ramp() -> None:
    """A tenth of the users in a hundredth of the time: 100 users, 24 s."""
    small = RAMP.scaled(0.1, 0.01)

    assert small.duration_s == pytest.approx(24)
    assert small.peak_users == 100
    assert small.users_at(1.5) == 50


def test_scaling_never_rounds_a_level_to_nobody() -> None:
    """A thousandth of 100 users is still a user, and 30 x 0.1 is 3 in spite of floating point."""
    assert SPIKE.scaled(0.001, 1).users_at(0) == 1
    assert Schedule((Stage("hold", 1, 30, 30),)).scaled(0.1, 1).peak_users == 3


@pytest.mark.parametrize("user_scale", [10_001, 1e300, 1e306])
def test_more_users_than_any_machine_holds_are_refused(user_scale: float) -> None:
    """A scale that would only fill the memory is a fault of the scale, which is named."""
    with pytest.raises(
        ScheduleError, match=re.escape(f"user_scale {user_scale:g} makes over 10,000,000 users")
    ):
        RAMP.scaled(user_scale, 1)


@given(stages, scales, scales, st.floats(0, 1))
def test_never_over_the_peak(
    stages: tuple[Stage, ...], user_scale: float, time_scale: float, share: float
) -> None:
    """At no second are there more users than the peak or fewer than none; at the end there is None."""
    schedule = Schedule(stages).scaled(user_scale, time_scale)
    users = schedule.users_at(share * schedule.duration_s * 0.999)

    assert users is not None
    assert 0 <= users <= schedule.peak_users
    assert schedule.users_at(schedule.duration_s + 1e-6) is None


@given(st.integers(0, 500), st.integers(0, 500), st.floats(1, 100), st.lists(st.floats(0, 1), min_size=2))
def test_a_ramp_is_monotone(low: int, rise: int, duration_s: float, shares: list[float]) -> None:
    """A stage that goes up never goes down on the way."""
    schedule = Schedule((Stage("up", duration_s, low, low + rise + 1),))
    users = [schedule.users_at(share * duration_s * 0.999) for share in sorted(shares)]

    assert users == sorted(users, key=lambda count: count or 0)


def test_all_faults_at_once() -> None:
    """Every fault of every stage is named, with what was received."""
    with pytest.raises(ScheduleError) as caught:
        Schedule((Stage("Up there", 0, -1, 5), Stage("hold", float("nan"), 5, 5), Stage("hold", 1, 5, 5)))

    assert str(caught.value).splitlines() == [
        "stage 1 ('Up there'): name must be lower-case letters, digits and _, got 'Up there'",
        "stage 1 ('Up there'): duration_s must be a number above 0, got 0",
        "stage 1 ('Up there'): from_users must be a whole number of at least 0, got -1",
        "stage 2 ('hold'): duration_s must be a number above 0, got nan",
        "stage name 'hold' is used 2 times; names must differ",
    ]


@pytest.mark.parametrize(
    ("stages", "fault"),
    [
        pytest.param((), "a schedule needs at least one stage, got none", id="no stages"),
        pytest.param((Stage("hold", 1, 0, 0),), "every stage has 0 users", id="nobody ever"),
    ],
)
def test_empty_schedules(stages: tuple[Stage, ...], fault: str) -> None:
    """A schedule that could make no load is refused."""
    with pytest.raises(ScheduleError, match=fault):
        Schedule(stages)


def test_a_stage_is_a_stage() -> None:
    """What is no Stage, such as a dict or the stage of an open load, is refused with what was received."""
    wrong: Any = ({"duration": 60, "users": 10}, RateStage("hold", 1, 5, 5))
    with pytest.raises(ScheduleError) as caught:
        Schedule(wrong)

    assert str(caught.value).splitlines() == [
        "stage 1 must be a Stage, got {'duration': 60, 'users': 10}",
        "stage 2 must be a Stage, got RateStage(name='hold', duration_s=1, from_rate=5, to_rate=5)",
    ]


def test_a_step_is_a_stage() -> None:
    """Only stages can be judged one by one."""
    with pytest.raises(ScheduleError, match="step 'hodl' is no stage, valid are hold"):
        Schedule((Stage("hold", 1, 5, 5),), steps=("hodl",))


def test_wrong_scales() -> None:
    """Both scales are checked at once."""
    with pytest.raises(
        ScheduleError, match=r"user_scale must be a number above 0, got 0\ntime_scale .* got inf"
    ):
        RAMP.scaled(0, float("inf"))


def test_faults_of_type_are_named_like_all_others() -> None:
    """What is no number at all is refused in the same words, and not by a TypeError of its own."""
    wrong: Any = "5"
    with pytest.raises(ScheduleError) as caught:
        Schedule((Stage("hold", wrong, wrong, float("nan")),))  # type: ignore[arg-type] # a fault on purpose

    assert str(caught.value).splitlines() == [
        "stage 1 ('hold'): duration_s must be a number above 0, got '5'",
        "stage 1 ('hold'): from_users must be a whole number of at least 0, got '5'",
        "stage 1 ('hold'): to_users must be a whole number of at least 0, got nan",
    ]
