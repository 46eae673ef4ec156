"""Requests that were cut off in flight: those as old as a limit are over it, others are unknown."""

import math

import numpy as np
from numpy.typing import NDArray

from reports.estimates.part import Part
from reports.load.intervals import Counts, bucket_of

Floats = NDArray[np.float64]


def hanging(part: Part, edge_ms: float) -> Counts:
    """Return the requests that were cut off when they were as old as the limit, by their age."""
    counts = part.histogram(part.recording.unfinished)
    counts[:, : bucket_of(edge_ms)] = 0
    return counts


def cut_off(part: Part, above_ms: float, below_ms: float = math.inf) -> Floats:
    """Return how many requests were cut off in each block at ages between, without the buckets of both."""
    counts = part.histogram(part.recording.unfinished)
    last = bucket_of(below_ms) if math.isfinite(below_ms) else counts.shape[1]
    between: Floats = counts[:, bucket_of(above_ms) + 1 : last].sum(axis=1)
    return between


def hidden(young: Floats, what: str = "over the limit", lacking: Floats | None = None) -> str:
    """Say what is not known of requests cut off too early to tell, and of those that arrivals lack."""
    n, never = int(young.sum()), 0 if lacking is None else math.ceil(lacking.sum())
    parts = [f"{_requests(n)} cut off in flight"] if n else []
    parts += [f"{_requests(never)} never made, as arrivals were dropped,"] if never else []
    return f"{' and '.join(parts)} that may have been {what}"


def _requests(n: int) -> str:
    return f"{n} {'request was' if n == 1 else 'requests were'}"
