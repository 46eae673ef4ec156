"""Requests that were never made, because the arrivals that would have made them found no free user.

They would have met the service when it was at its slowest, so they count as possible violations of a limit.
"""

import numpy as np
from numpy.typing import NDArray

from reports.estimates.part import Part

Floats = NDArray[np.float64]

EDGE_S = 2
"""What still waits when a schedule ends is dropped then, and written down within a second or two."""


def dropped(part: Part) -> Floats:
    """Return how many requests each block lacks: as many an arrival as those made that were started."""
    starts = part.health.dropna(subset=["unix_s", "started", "dropped"])
    # A row tells of the second before it was written.
    second = np.floor(starts["unix_s"].to_numpy(dtype=np.float64)).astype(np.int64) - 1
    at_the_end = (second >= part.window.end_s) & (second < part.window.end_s + EDGE_S)
    block = part.window.blocks(np.where(at_the_end, part.window.end_s - 1, second), part.blocks)
    arrivals = part.sums(starts["dropped"].to_numpy(dtype=np.float64), block)
    started = float(starts["started"].to_numpy(dtype=np.float64)[block >= 0].sum())
    lacking: Floats = arrivals * (part.n / started) if started else np.zeros(part.blocks)
    return lacking
