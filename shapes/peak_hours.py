"""Peak hours: two waves, the second higher, with a lull between them."""

from plimsoll.loads import scheduled_shape
from shapes.loads import PEAK_HOURS


class PeakHoursShape(scheduled_shape.ScheduledShape):
    """Wait 10 minutes, peak at 5,000 users, fall to 2,000, and peak again at 8,000."""

    schedule = PEAK_HOURS
