"""The rush of career selections: everyone chooses in the same half hour."""

from shapes import _scheduled
from shapes.loads import CAREER_SELECTION_RUSH


class CareerSelectionRushShape(_scheduled.ScheduledShape):
    """Go to 30,000 users in 5 minutes and hold them for 30."""

    schedule = CAREER_SELECTION_RUSH
