"""The morning's logins: all students of the country come between eight and nine."""

from plimsoll.loads import scheduled_shape
from shapes.loads import MORNING_LOGIN_SURGE


class MorningLoginSurgeShape(scheduled_shape.ScheduledShape):
    """Surge to 50,000 users in 10 minutes, hold them for 40, and go back to none in 10: an hour."""

    schedule = MORNING_LOGIN_SURGE
