"""The rush of career selections: everyone chooses in the same half hour."""

from plimsoll import MINUTE, ScheduledShape, Stage


class CareerSelectionRushShape(ScheduledShape):
    """Go to 30,000 users in 5 minutes and hold them for 30."""

    stages = (
        # 30,000 logins in the first second would be another load, and the first that the rush remembers.
        Stage("ramp_up", 5 * MINUTE, 0, 30_000),
        Stage("rush", 30 * MINUTE, 30_000, 30_000),
    )
