"""Pool phases: as many users at once as a connection pool has connections, more, and far fewer."""

from shapes import _scheduled
from shapes.loads import POOL_PHASES


class PoolPhasesShape(_scheduled.ScheduledShape):
    """Have 5, 15, 25, 10 and 1 users at once, for 5 seconds each."""

    schedule = POOL_PHASES
