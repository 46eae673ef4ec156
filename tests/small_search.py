"""A search of some steps for the capacity of a service that is good for 55 requests a second."""

from __future__ import annotations

from plimsoll import SearchShape


class SmallSearchShape(SearchShape):
    """40 a second, then 80, then between them until the gap is 40 %: three steps, where none stays open."""

    first_rate = 40
    factor = 2
    max_rate = 160
    resolution = 0.4
    step_s = 8
    rest_s = 1
    max_steps = 6
    max_users = 200
