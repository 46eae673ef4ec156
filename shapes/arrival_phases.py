"""Arrival phases: warm up, ramp up, hold, and a last push to twice of it."""

from plimsoll import MINUTE, ArrivalShape, RateStage


class ArrivalPhasesShape(ArrivalShape):
    """Let 5 arrive a second for a minute, 10 to 50 for five, 50 for two, 100 for one."""

    stages = (
        RateStage("warm_up", 1 * MINUTE, 5, 5),
        RateStage("ramp_up", 5 * MINUTE, 10, 50),
        RateStage("hold", 2 * MINUTE, 50, 50),
        RateStage("push", 1 * MINUTE, 100, 100),
    )
    # 100/s may take 20 s each.
    max_users = 2000
