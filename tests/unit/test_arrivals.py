"""Arrival schedules are pure functions of elapsed seconds."""

import itertools
import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage, Spacing
from plimsoll.loads.schedule import Schedule, ScheduleError, Stage
from shapes.arrival_phases import ArrivalPhasesShape
from shapes.double_spike import DoubleSpikeShape
from shapes.gradual_arrivals import GradualArrivalsShape

ARRIVAL_PHASES = ArrivalPhasesShape().schedule
DOUBLE_SPIKE = DoubleSpikeShape().schedule
GRADUAL_ARRIVALS = GradualArrivalsShape().schedule

# 10/s for 10 s, up to 30/s in 10 s, down to none in 10 s: 100 + 200 + 150 arrivals.
HILL = ArrivalSchedule(
    (RateStage("low", 10, 10, 10), RateStage("up", 10, 10, 30), RateStage("down", 10, 30, 0)), max_users=50
)

stages = st.lists(
    st.tuples(st.floats(0.1, 20), st.floats(0, 50), st.floats(1, 50)), min_size=1, max_size=4
).map(lambda rows: tuple(RateStage(f"stage_{number}", *row) for number, row in enumerate(rows)))
spacings = st.sampled_from(["even", "poisson"])


def constant(rate: float, duration_s: float, spacing: Spacing = "even", seed: int = 1) -> ArrivalSchedule:
    """Return a schedule of one rate."""
    return ArrivalSchedule((RateStage("hold", duration_s, rate, rate),), 10, spacing, seed)


def planning(stages_: tuple[RateStage, ...], spacing: Spacing = "even") -> ArrivalSchedule:
    """Return a schedule of these stages that plans something, whatever they plan."""
    return ArrivalSchedule((*stages_, RateStage("last", 1, 10, 10)), 10, spacing)


@pytest.mark.parametrize(
    ("elapsed_s", "rate"),
    [(0, 10), (9.9, 10), (10, 10), (15, 20), (19.999, pytest.approx(30, abs=0.01)), (25, 15), (30, None)],
)
def test_rate_at(elapsed_s: float, rate: float | None) -> None:
    """A rate goes in a straight line within its stage, and there is none after the last."""
    assert HILL.rate_at(elapsed_s) == rate


@pytest.mark.parametrize(
    ("elapsed_s", "arrivals"),
    [(0, 0), (5, 50), (10, 100), (15, 100 + 5 * (10 + 20) / 2), (20, 300), (25, 412.5), (30, 450), (99, 450)],
)
def test_planned_arrivals(elapsed_s: float, arrivals: float) -> None:
    """What is planned until a moment is the area below the rate."""
    assert HILL.arrivals_until(elapsed_s) == pytest.approx(arrivals)


@pytest.mark.parametrize(
    ("schedule", "elapsed_s", "rate"),
    [
        pytest.param(GRADUAL_ARRIVALS, 9, 1, id="gradual arrivals begin with 1 a second"),
        pytest.param(GRADUAL_ARRIVALS, 39, 5, id="then 5 for 30 s"),
        pytest.param(GRADUAL_ARRIVALS, 99, 10, id="10 for 60 s"),
        pytest.param(GRADUAL_ARRIVALS, 159, 20, id="20 for 60 s"),
        pytest.param(GRADUAL_ARRIVALS, 189, 5, id="5 for 30 s"),
        pytest.param(GRADUAL_ARRIVALS, 199, 1, id="1 for 10 s"),
        pytest.param(GRADUAL_ARRIVALS, 200, None, id="and end after 200 s"),
        pytest.param(ARRIVAL_PHASES, 59, 5, id="the phases warm up with 5 a second"),
        pytest.param(ARRIVAL_PHASES, 60, 10, id="ramp up from 10"),
        pytest.param(ARRIVAL_PHASES, 210, 30, id="half of the way up is 30"),
        pytest.param(ARRIVAL_PHASES, 360, 50, id="hold 50"),
        pytest.param(ARRIVAL_PHASES, 480, 100, id="push to 100 after two minutes"),
        pytest.param(ARRIVAL_PHASES, 540, None, id="and end after 9 minutes"),
        pytest.param(DOUBLE_SPIKE, 59, 10, id="the double spike has 10 a second"),
        pytest.param(DOUBLE_SPIKE, 60, 100, id="but 100 from 60 s on"),
        pytest.param(DOUBLE_SPIKE, 90, 10, id="to 90 s"),
        pytest.param(DOUBLE_SPIKE, 150, 100, id="and from 150 s on"),
        pytest.param(DOUBLE_SPIKE, 180, 10, id="to 180 s"),
        pytest.param(DOUBLE_SPIKE, 300, None, id="and ends after 300 s"),
    ],
)
def test_loads(schedule: ArrivalSchedule, elapsed_s: float, rate: float | None) -> None:
    """Each load has the rates planned for it at the seconds planned for it."""
    assert schedule.rate_at(elapsed_s) == rate


def test_facts() -> None:
    """Length, peak, area and stage are those of the stages; nobody plans users."""
    assert (HILL.duration_s, HILL.peak_rate, HILL.planned_arrivals) == (30, 30, 450)
    assert [HILL.stage_at(elapsed_s) for elapsed_s in (0, 10, 29.9, 30)] == ["low", "up", "down", None]
    assert HILL.users_at(0) is None
    assert Schedule((Stage("hold", 1, 1, 1),)).rate_at(0) is None


def test_five_hundred_a_second() -> None:
    """500/s over 30 s is 15,000 arrivals, 2 ms from one to the next."""
    starts_s = list(constant(500, 30).starts())

    assert len(starts_s) == 15_000
    assert starts_s[0] == pytest.approx(0.001)
    assert starts_s[-1] == pytest.approx(29.999)
    assert {round(after - before, 9) for before, after in itertools.pairwise(starts_s)} == {0.002}


def test_a_ramp_from_nothing() -> None:
    """At 0 to 2/s in 8 s the integral t²/8 reaches 0.5, 1.5, … after the square roots of 4, 12, 20, …."""
    ramp = ArrivalSchedule((RateStage("up", 8, 0, 2),), 1)

    assert list(ramp.starts()) == pytest.approx([(8 * (number + 0.5)) ** 0.5 for number in range(8)])


@settings(max_examples=40)
@given(stages)
def test_evenly_spaced_follows_the_integral(stages_: tuple[RateStage, ...]) -> None:
    """At the k-th arrival the integral of the rate is k - 1/2, and none is missing."""
    schedule = planning(stages_)
    starts_s = list(schedule.starts())

    assert starts_s == sorted(starts_s)
    assert len(starts_s) == pytest.approx(schedule.planned_arrivals, abs=0.5 + 1e-6)
    for number, start_s in enumerate(starts_s):
        assert schedule.arrivals_until(start_s) == pytest.approx(number + 0.5, abs=1e-6)


@settings(max_examples=40)
@given(stages, spacings, st.integers(1, 5))
def test_shares_make_the_whole(stages_: tuple[RateStage, ...], spacing: Spacing, count: int) -> None:
    """The shares of all workers together are the schedule, each arrival once, and about equal."""
    schedule = planning(stages_, spacing)
    shares = [list(schedule.starts(index, count)) for index in range(count)]

    assert sorted(itertools.chain(*shares)) == list(schedule.starts())
    if spacing == "even":
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@settings(max_examples=40)
@given(stages, spacings, st.floats(0, 1), st.integers(1, 4), st.integers(1, 4))
def test_shares_may_be_dealt_again(
    stages_: tuple[RateStage, ...], spacing: Spacing, part: float, before: int, after: int
) -> None:
    """Where one number of shares takes over from another, no arrival is lost and none is doubled."""
    schedule = planning(stages_, spacing)
    turn_s = part * schedule.duration_s
    dealt = [
        start_s for index in range(before) for start_s in schedule.starts(index, before) if start_s < turn_s
    ]
    dealt += [start_s for index in range(after) for start_s in schedule.starts(index, after, turn_s)]

    assert sorted(dealt) == list(schedule.starts())


def test_no_such_share() -> None:
    """A share is one of those that there are."""
    with pytest.raises(ValueError, match=r"part must be 0 to 1 of 2, got 2"):
        HILL.starts(2, 2)


def test_poisson_gaps_are_exponential() -> None:
    """The gaps of a Poisson process have mean and standard deviation 1/rate, also across its blocks."""
    starts_s = list(constant(100, 1000, "poisson").starts())
    gaps_s = [after - before for before, after in itertools.pairwise(starts_s)]

    assert len(starts_s) == pytest.approx(100_000, rel=0.01)
    assert statistics.fmean(gaps_s) == pytest.approx(0.01, rel=0.02)
    assert statistics.stdev(gaps_s) == pytest.approx(0.01, rel=0.02)
    assert sum(gap_s > 0.03 for gap_s in gaps_s) / len(gaps_s) == pytest.approx(0.0498, rel=0.1)  # e^-3


def test_poisson_is_reproducible() -> None:
    """The same seed gives the same arrivals, another one others."""
    first, again, other = (list(constant(10, 100, "poisson", seed).starts()) for seed in (1, 1, 2))

    assert first == again != other


@given(stages, spacings, st.floats(0.5, 10), st.floats(0.5, 10))
def test_scaled(
    stages_: tuple[RateStage, ...], spacing: Spacing, user_scale: float, time_scale: float
) -> None:
    """The rates and the most users follow one scale, the durations the other."""
    schedule = planning(stages_, spacing)
    scaled = schedule.scaled(user_scale, time_scale)

    assert scaled.peak_rate == pytest.approx(schedule.peak_rate * user_scale)
    assert scaled.duration_s == pytest.approx(schedule.duration_s * time_scale)
    assert scaled.planned_arrivals == pytest.approx(schedule.planned_arrivals * user_scale * time_scale)
    assert scaled.max_users >= schedule.max_users * user_scale - 1e-6
    assert scaled.spacing == spacing


@pytest.mark.parametrize(
    ("user_scale", "time_scale", "fault"),
    [
        pytest.param(0, float("inf"), r"user_scale must .* got 0\ntime_scale .* got inf", id="no scales"),
        pytest.param(0.001, 1, r"plan 0\.45 arrivals; they must plan at least 1", id="nothing left"),
    ],
)
def test_wrong_scales(user_scale: float, time_scale: float, fault: str) -> None:
    """Scales must be scales, and leave some load."""
    with pytest.raises(ScheduleError, match=fault):
        HILL.scaled(user_scale, time_scale)


def test_all_faults_at_once() -> None:
    """Every fault of every stage is named, with what was received."""
    with pytest.raises(ScheduleError) as caught:
        ArrivalSchedule(
            (RateStage("Up", 0, -1, 5), RateStage("hold", 1, 5, float("inf")), RateStage("hold", 1, 5, 5)),
            max_users=0,
            spacing="odd",  # type: ignore[arg-type] # a fault on purpose
        )

    assert str(caught.value).splitlines() == [
        "stage 1 ('Up'): name must be lower-case letters, digits and _, got 'Up'",
        "stage 1 ('Up'): duration_s must be a number above 0, got 0",
        "stage 1 ('Up'): from_rate must be a number of at least 0, got -1",
        "stage 2 ('hold'): to_rate must be a number of at least 0, got inf",
        "stage name 'hold' is used 2 times; names must differ",
        "max_users must be a whole number of at least 1, got 0",
        "spacing must be 'even' or 'poisson', got 'odd'",
    ]


@pytest.mark.parametrize(
    ("stages_", "fault"),
    [
        pytest.param((), "a schedule needs at least one stage, got none", id="no stages"),
        pytest.param((RateStage("hold", 9, 0, 0),), "the stages plan 0 arrivals", id="nobody ever"),
    ],
)
def test_empty_schedules(stages_: tuple[RateStage, ...], fault: str) -> None:
    """A schedule that could make no load is refused."""
    with pytest.raises(ScheduleError, match=fault):
        ArrivalSchedule(stages_, 1)


def test_faults_of_type_are_named_like_all_others() -> None:
    """What is no number at all is refused in the same words, and not by a TypeError of its own."""
    wrong: Any = "5"
    with pytest.raises(ScheduleError) as caught:
        ArrivalSchedule((RateStage("hold", wrong, wrong, 5),), max_users=wrong)

    assert str(caught.value).splitlines() == [
        "stage 1 ('hold'): duration_s must be a number above 0, got '5'",
        "stage 1 ('hold'): from_rate must be a number of at least 0, got '5'",
        "max_users must be a whole number of at least 1, got '5'",
    ]
