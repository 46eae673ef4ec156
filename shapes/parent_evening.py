"""The parents' evening: they come little by little, and leave so."""

from shapes import _scheduled
from shapes.loads import PARENT_EVENING


class ParentEveningShape(_scheduled.ScheduledShape):
    """Go to 20,000 users in 45 minutes, hold them for 30, and go back to none in 45: two hours."""

    schedule = PARENT_EVENING
