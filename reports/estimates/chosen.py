"""The requests of Locust's statistics that a threshold is about, and what they are together."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports.estimates.blocks import BLOCKS, Blocks, seconds_of
from reports.estimates.estimate import Ends
from reports.estimates.levels import levels_of
from reports.estimates.selecting import selected
from reports.load.run import Run
from reports.thresholds.metric import Metric
from reports.thresholds.selector import Selector


@dataclass(frozen=True)
class Chosen:
    """Hold the requests a threshold is about: their rows of the statistics of a run."""

    run: Run
    rows: pd.DataFrame

    @cached_property
    def by_second(self) -> Blocks | None:
        """Return the requests second by second, None where the history does not tell."""
        return seconds_of(self.run, self.rows)

    @cached_property
    def blocks(self) -> Blocks | None:
        """Return the requests by blocks of time, None where the history does not tell."""
        return self.by_second.merged(BLOCKS) if self.by_second is not None else None

    @property
    def caveat(self) -> str:
        """Say what blocks leave open that are short."""
        return self.blocks.length.caveat if self.blocks is not None else ""

    @property
    def n(self) -> int:
        """Return how many requests were made."""
        return int(self.rows["n"].sum())

    @property
    def failures(self) -> int:
        """Return how many of them failed."""
        return int(self.rows["failures"].sum())

    @cached_property
    def spread_ms(self) -> float | None:
        """Return the standard deviation of all latencies, None where a row has no percentiles."""
        points = [levels_of(row) for _, row in self.rows.iterrows()]
        spreads = np.array([point.spread_ms() for point in points if point is not None])
        if len(spreads) < len(self.rows):
            return None
        weights, means = (self.rows[column].to_numpy(dtype=float) for column in ("n", "mean_ms"))
        mean = np.average(means, weights=weights)
        return float(np.sqrt(np.average(spreads**2 + (means - mean) ** 2, weights=weights)))

    @property
    def mixed(self) -> str:
        """Say for the method of a latency that failures are among the requests."""
        return f"; {self.failures} failures are among them" if self.failures else ""

    def unsure(self, ends: Ends) -> str:
        """Say what a latency leaves open, as Locust does not tell it of the successes alone."""
        low, high = (_shown(end) for end in ends)
        failed = f"{self.failures} of {self.n} requests failed, and Locust's figures include them"
        return f"{failed}: without them it is between {low} and {high}"


def choose(run: Run, selector: Selector, metric: Metric) -> Chosen:
    """Return the requests of a selector; Locust's own total where that is all of them.

    For a latency those that never succeeded are left out.
    """
    rows = run.requests[selected(selector, run.requests)]
    if len(rows) == len(run.requests) and len(run.total):
        return Chosen(run, run.total)
    if metric.is_latency:
        rows = rows.loc[rows["n"] > rows["failures"]]
    return Chosen(run, rows)


def _shown(latency_ms: float) -> str:
    if not math.isfinite(latency_ms):
        return "any time"
    return f"{latency_ms:.0f} ms" if latency_ms >= 1000 else f"{latency_ms:.3g} ms"
