"""Pool phases: as many users at once as a connection pool has connections, more, and far fewer."""

from plimsoll import SECOND, ScheduledShape, Stage


class PoolPhasesShape(ScheduledShape):
    """Have 5, 15, 25, 10 and 1 users at once, for 5 seconds each."""

    stages = (
        Stage("low", 5 * SECOND, 5, 5),
        Stage("medium", 5 * SECOND, 15, 15),
        Stage("high", 5 * SECOND, 25, 25),
        Stage("falling", 5 * SECOND, 10, 10),
        Stage("idle", 5 * SECOND, 1, 1),
    )
