"""A double spike: ten times as many arrive for half a minute, and again before all have forgotten it."""

from plimsoll.loads import arrival_shape
from shapes.loads import DOUBLE_SPIKE


class DoubleSpikeShape(arrival_shape.ArrivalShape):
    """Let 10 arrive a second for 5 minutes, and 100 at 60 to 90 s and at 150 to 180 s."""

    schedule = DOUBLE_SPIKE
