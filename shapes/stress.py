"""Stress: a staircase to where the service breaks, and whether it recovers from it."""

from plimsoll import MINUTE, ScheduledShape, Stage


class StressShape(ScheduledShape):
    """Go to 100, 1,000, 5,000, 10,000 and 20,000 users in 2 minutes each, hold each for 5, recover in 10."""

    stages = (
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
    )
    steps = ("hold_100", "hold_1000", "hold_5000", "hold_10000", "hold_20000")
