"""Gradual arrivals: more and more come, and fewer again, however slow the service is."""

from plimsoll import MINUTE, SECOND, ArrivalShape, RateStage


class GradualArrivalsShape(ArrivalShape):
    """Let 1, 5, 10, 20, 5 and 1 arrive a second, for 10, 30, 60, 60, 30 and 10 s."""

    stages = (
        RateStage("trickle", 10 * SECOND, 1, 1),
        RateStage("low", 30 * SECOND, 5, 5),
        RateStage("medium", 1 * MINUTE, 10, 10),
        RateStage("high", 1 * MINUTE, 20, 20),
        RateStage("low_again", 30 * SECOND, 5, 5),
        RateStage("trickle_again", 10 * SECOND, 1, 1),
    )
    # 20/s may take 25 s each.
    max_users = 500
