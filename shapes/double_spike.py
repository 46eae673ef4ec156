"""A double spike: ten times as many arrive for half a minute, and again before all have forgotten it."""

from plimsoll import MINUTE, SECOND, ArrivalShape, RateStage


class DoubleSpikeShape(ArrivalShape):
    """Let 10 arrive a second for 5 minutes, and 100 at 60 to 90 s and at 150 to 180 s."""

    stages = (
        RateStage("baseline", 1 * MINUTE, 10, 10),
        RateStage("first_spike", 30 * SECOND, 100, 100),
        RateStage("between", 1 * MINUTE, 10, 10),
        RateStage("second_spike", 30 * SECOND, 100, 100),
        RateStage("recovery", 2 * MINUTE, 10, 10),
    )
    # Half of the 6,000 arrivals of both spikes at once; a learning session takes half a minute.
    max_users = 3000
