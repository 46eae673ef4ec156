"""A spike: a hundredfold rise within half a minute, and what is left afterwards."""

from plimsoll import MINUTE, SECOND, ScheduledShape, Stage


class SpikeShape(ScheduledShape):
    """Hold 100 users for a minute, spike to 10,000 for three, and watch the recovery at 100."""

    stages = (
        Stage("baseline", 1 * MINUTE, 100, 100),
        Stage("spike_up", 30 * SECOND, 100, 10_000),
        Stage("spike", 3 * MINUTE, 10_000, 10_000),
        Stage("spike_down", 30 * SECOND, 10_000, 100),
        Stage("recovery", 2 * MINUTE, 100, 100),
        Stage("ramp_down", 30 * SECOND, 100, 0),
    )
