"""Every load at full size, in the order of the README's table; the shapes of the same names play them."""

from __future__ import annotations

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.loads.schedule import HOUR, MINUTE, SECOND, Schedule, Stage
from plimsoll.loads.search import StepSearch

RAMP = Schedule(
    (
        Stage("ramp_up", 5 * MINUTE, 0, 1000),
        Stage("hold", 30 * MINUTE, 1000, 1000),
        Stage("ramp_down", 5 * MINUTE, 1000, 0),
    )
)

PEAK_HOURS = Schedule(
    (
        # Nobody comes before the peak, which is ten minutes into the timetable it is taken from.
        Stage("before", 10 * MINUTE, 0, 0),
        Stage("first_rise", 5 * MINUTE, 0, 5000),
        Stage("first_peak", 15 * MINUTE, 5000, 5000),
        Stage("fall", 5 * MINUTE, 5000, 2000),
        Stage("lull", 10 * MINUTE, 2000, 2000),
        Stage("second_rise", 5 * MINUTE, 2000, 8000),
        Stage("second_peak", 15 * MINUTE, 8000, 8000),
        Stage("ramp_down", 5 * MINUTE, 8000, 0),
    )
)

SHOP = Schedule(
    (
        Stage("warm_up", 2 * MINUTE, 0, 10),
        Stage("low", 5 * MINUTE, 10, 50),
        Stage("medium", 10 * MINUTE, 50, 100),
        Stage("high", 5 * MINUTE, 100, 200),
        Stage("ramp_down", 2 * MINUTE, 200, 0),
    )
)

STRESS = Schedule(
    (
        Stage("up_to_100", 2 * MINUTE, 0, 100),
        Stage("hold_100", 5 * MINUTE, 100, 100),
        Stage("up_to_1000", 2 * MINUTE, 100, 1000),
        Stage("hold_1000", 5 * MINUTE, 1000, 1000),
        Stage("up_to_5000", 2 * MINUTE, 1000, 5000),
        Stage("hold_5000", 5 * MINUTE, 5000, 5000),
        Stage("up_to_10000", 2 * MINUTE, 5000, 10_000),
        Stage("hold_10000", 5 * MINUTE, 10_000, 10_000),
        Stage("up_to_20000", 2 * MINUTE, 10_000, 20_000),
        Stage("hold_20000", 5 * MINUTE, 20_000, 20_000),
        # Step by step would hide when it recovers, and all at once would cut off what is under way.
        Stage("recovery", 10 * MINUTE, 20_000, 100),
    ),
    steps=("hold_100", "hold_1000", "hold_5000", "hold_10000", "hold_20000"),
)

SPIKE = Schedule(
    (
        Stage("baseline", 1 * MINUTE, 100, 100),
        Stage("spike_up", 30 * SECOND, 100, 10_000),
        Stage("spike", 3 * MINUTE, 10_000, 10_000),
        Stage("spike_down", 30 * SECOND, 10_000, 100),
        Stage("recovery", 2 * MINUTE, 100, 100),
        Stage("ramp_down", 30 * SECOND, 100, 0),
    )
)

DOUBLE_SPIKE = ArrivalSchedule(
    (
        RateStage("baseline", 1 * MINUTE, 10, 10),
        RateStage("first_spike", 30 * SECOND, 100, 100),
        RateStage("between", 1 * MINUTE, 10, 10),
        RateStage("second_spike", 30 * SECOND, 100, 100),
        RateStage("recovery", 2 * MINUTE, 10, 10),
    ),
    # Half of the 6,000 arrivals of both spikes at once; a learning session takes half a minute.
    most_users=3000,
)

SOAK = Schedule(
    (
        # 5,000 logins at once would be a spike, and the first thing the soak remembers.
        Stage("ramp_up", 5 * MINUTE, 0, 5000),
        Stage("hold", 8 * HOUR, 5000, 5000),
    )
)

GRADUAL_ARRIVALS = ArrivalSchedule(
    (
        RateStage("trickle", 10 * SECOND, 1, 1),
        RateStage("low", 30 * SECOND, 5, 5),
        RateStage("medium", 1 * MINUTE, 10, 10),
        RateStage("high", 1 * MINUTE, 20, 20),
        RateStage("low_again", 30 * SECOND, 5, 5),
        RateStage("trickle_again", 10 * SECOND, 1, 1),
    ),
    # 20/s may take 25 s each.
    most_users=500,
)

ARRIVAL_PHASES = ArrivalSchedule(
    (
        RateStage("warm_up", 1 * MINUTE, 5, 5),
        RateStage("ramp_up", 5 * MINUTE, 10, 50),
        RateStage("hold", 2 * MINUTE, 50, 50),
        RateStage("push", 1 * MINUTE, 100, 100),
    ),
    # 100/s may take 20 s each.
    most_users=2000,
)

POOL_PHASES = Schedule(
    (
        Stage("low", 5 * SECOND, 5, 5),
        Stage("medium", 5 * SECOND, 15, 15),
        Stage("high", 5 * SECOND, 25, 25),
        Stage("falling", 5 * SECOND, 10, 10),
        Stage("idle", 5 * SECOND, 1, 1),
    )
)

MORNING_LOGIN_SURGE = Schedule(
    (
        Stage("surge", 10 * MINUTE, 0, 50_000),
        Stage("peak", 40 * MINUTE, 50_000, 50_000),
        Stage("ramp_down", 10 * MINUTE, 50_000, 0),
    )
)

CAREER_SELECTION_RUSH = Schedule(
    (
        # 30,000 logins in the first second would be another load, and the first that the rush remembers.
        Stage("ramp_up", 5 * MINUTE, 0, 30_000),
        Stage("rush", 30 * MINUTE, 30_000, 30_000),
    )
)

PARENT_EVENING = Schedule(
    (
        Stage("coming", 45 * MINUTE, 0, 20_000),
        Stage("peak", 30 * MINUTE, 20_000, 20_000),
        Stage("leaving", 45 * MINUTE, 20_000, 0),
    )
)

BREAKPOINT = StepSearch(
    first_rate=10,
    factor=2,
    most_rate=10_240,
    resolution=0.1,
    step_s=1 * MINUTE,
    rest_s=30 * SECOND,
    most_steps=20,
    # 10,240/s may take 2 s each.
    most_users=20_000,
)

VOLUME = Schedule((Stage("hold", 10 * MINUTE, 20, 20),))

LOADS: dict[str, Schedule | ArrivalSchedule] = {
    "ramp": RAMP,
    "peak_hours": PEAK_HOURS,
    "shop": SHOP,
    "stress": STRESS,
    "spike": SPIKE,
    "double_spike": DOUBLE_SPIKE,
    "soak": SOAK,
    "gradual_arrivals": GRADUAL_ARRIVALS,
    "arrival_phases": ARRIVAL_PHASES,
    "pool_phases": POOL_PHASES,
    "morning_login_surge": MORNING_LOGIN_SURGE,
    "career_selection_rush": CAREER_SELECTION_RUSH,
    "parent_evening": PARENT_EVENING,
    "breakpoint": BREAKPOINT.climb(),
    "volume": VOLUME,
}
"""By the names of the shapes' files."""
