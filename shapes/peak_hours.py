"""Peak hours: two waves, the second higher, with a lull between them."""

from plimsoll import MINUTE, ScheduledShape, Stage


class PeakHoursShape(ScheduledShape):
    """Wait 10 minutes, peak at 5,000 users, fall to 2,000, and peak again at 8,000."""

    stages = (
        # Nobody comes before the peak, which is ten minutes into the timetable it is taken from.
        Stage("before", 10 * MINUTE, 0, 0),
        Stage("first_rise", 5 * MINUTE, 0, 5000),
        Stage("first_peak", 15 * MINUTE, 5000, 5000),
        Stage("fall", 5 * MINUTE, 5000, 2000),
        Stage("lull", 10 * MINUTE, 2000, 2000),
        Stage("second_rise", 5 * MINUTE, 2000, 8000),
        Stage("second_peak", 15 * MINUTE, 8000, 8000),
        Stage("ramp_down", 5 * MINUTE, 8000, 0),
    )
