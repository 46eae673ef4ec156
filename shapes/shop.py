"""The shop's load: ever steeper rises to 200 users, and none held."""

from plimsoll.loads import scheduled_shape
from shapes.loads import SHOP


class ShopShape(scheduled_shape.ScheduledShape):
    """Go to 10 users in 2 minutes, 50 in 5, 100 in 10, 200 in 5, and back to none in 2."""

    schedule = SHOP
