"""The parents' evening: they come little by little, and leave so."""

from plimsoll.loads import scheduled_shape
from shapes.loads import PARENT_EVENING


class ParentEveningShape(scheduled_shape.ScheduledShape):
    """Go to 20,000 users in 45 minutes, hold them for 30, and go back to none in 45: two hours."""

    schedule = PARENT_EVENING
