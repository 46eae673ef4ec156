"""The breakpoint: up in steps until a limit fails, then bisected to the interval that holds the capacity."""

from plimsoll import MINUTE, SECOND, SearchShape


class BreakpointShape(SearchShape):
    """Let 10 arrive a second for a minute, then 20, 40, … until a limit fails; then halve the gap to 10 %."""

    first_rate = 10
    factor = 2
    max_rate = 10_240
    resolution = 0.1
    step_s = 1 * MINUTE
    rest_s = 30 * SECOND
    max_steps = 20
    # 10,240/s may take 2 s each.
    max_users = 20_000
