"""Peak hours: two waves, the second higher, with a lull between them."""

from shapes import _scheduled
from shapes.loads import PEAK_HOURS


class PeakHoursShape(_scheduled.ScheduledShape):
    """Wait 10 minutes, peak at 5,000 users, fall to 2,000, and peak again at 8,000."""

    schedule = PEAK_HOURS
