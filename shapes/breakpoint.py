"""The breakpoint: up in steps until a limit fails, then bisected to the interval that holds the capacity."""

from plimsoll.loads import search_shape
from shapes.loads import BREAKPOINT


class BreakpointShape(search_shape.SearchShape):
    """Let 10 arrive a second for a minute, then 20, 40, … until a limit fails; then halve the gap to 10 %."""

    search = BREAKPOINT
    schedule = BREAKPOINT.climb()
