"""The rush of career selections: everyone chooses in the same half hour."""

from plimsoll.loads import scheduled_shape
from shapes.loads import CAREER_SELECTION_RUSH


class CareerSelectionRushShape(scheduled_shape.ScheduledShape):
    """Go to 30,000 users in 5 minutes and hold them for 30."""

    schedule = CAREER_SELECTION_RUSH
