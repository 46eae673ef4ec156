"""A double spike: ten times as many arrive for half a minute, and again before all have forgotten it."""

from shapes import _arrival_shape
from shapes.arrivals import ArrivalSchedule, RateStage
from shapes.schedule import MINUTE, SECOND

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


class DoubleSpikeShape(_arrival_shape.ArrivalShape):
    """Let 10 arrive a second for 5 minutes, and 100 at 60 to 90 s and at 150 to 180 s."""

    schedule = DOUBLE_SPIKE
