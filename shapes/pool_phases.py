"""Pool phases: as many users at once as a connection pool has connections, more, and far fewer."""

from plimsoll.loads import scheduled_shape
from shapes.loads import POOL_PHASES


class PoolPhasesShape(scheduled_shape.ScheduledShape):
    """Have 5, 15, 25, 10 and 1 users at once, for 5 seconds each."""

    schedule = POOL_PHASES
