"""The part of a recording that a threshold is about, cut into equal blocks of time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.estimates import intervals
from reports.estimates.estimate import INDEPENDENT
from reports.estimates.intervals import BLOCKS, BlockLength
from reports.load.intervals import Counts, Group, Histograms, Intervals, Latencies, summed
from reports.steady_state import SteadyState

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """Hold the requests a threshold is about: rows of the recording, within the judged window.

    `latencies` are the ones it is about, `health` the generator's seconds, which tell of dropped arrivals.
    """

    recording: Intervals
    window: SteadyState
    rows: NDArray[np.bool_]
    latencies: Latencies
    health: pd.DataFrame

    @property
    def blocks(self) -> int:
        """Return into how many blocks the window is cut: one where blocks would be shorter than a second."""
        return BLOCKS if self.window.length_s >= BLOCKS else 1

    @cached_property
    def started(self) -> Group:
        """Number the rows by the block in which their requests started."""
        return self._blocks("started_s")

    @cached_property
    def ended(self) -> Group:
        """Number the rows by the block in which their requests ended."""
        return self._blocks("ended_s")

    def _blocks(self, which: str) -> Group:
        return np.where(self.rows, self.window.blocks(self.recording.seconds(which), self.blocks), -1)

    def sums(self, values: Floats, group: Group) -> Floats:
        """Return the sum of a column in each block."""
        return summed(values, group, self.blocks)

    def by_second(self, values: Floats, which: str = "started_s") -> Floats:
        """Return the sum of a column in each second of the window."""
        second = self.window.blocks(self.recording.seconds(which), self.window.length_s)
        return summed(values, np.where(self.rows, second, -1), self.window.length_s)

    def column(self, name: str) -> Floats:
        """Return the sums of a column by the blocks in which requests started."""
        return self.sums(self.recording.column(name), self.started)

    def histogram(self, histograms: Histograms) -> Counts:
        """Return the merged histogram of each block."""
        return self.recording.merged(histograms, self.started, self.blocks)

    @cached_property
    def lengths_s(self) -> Floats:
        """Return the number of seconds in each block."""
        seconds = np.arange(self.window.first_s, self.window.end_s)
        return np.bincount(self.window.blocks(seconds, self.blocks), minlength=self.blocks).astype(np.float64)

    @cached_property
    def n(self) -> int:
        """Return how many requests that started in the window were finished."""
        return int(self.column("n").sum())

    @cached_property
    def failures(self) -> int:
        """Return how many of them failed."""
        return int(self.column("failures").sum())

    @property
    def words(self) -> str:
        """Describe the blocks for the method of an estimate."""
        if self.blocks == 1:
            return f"Wilson {INDEPENDENT}, as {self.window.length_s} s are too short for blocks"
        return f"wider of Wilson and Student's t over {self.length.words}"

    @cached_property
    def length(self) -> BlockLength:
        """Return how long the blocks are."""
        return BlockLength(self.blocks, self.window.length_s / self.blocks)

    def shares(self, k: Floats, n: Floats) -> tuple[Floats, Floats]:
        """Return the intervals of k cases in n, blocks by columns."""
        return intervals.block_shares(k, n, self.length.coarser)

    def halfwidth(self, amounts: Floats, weights: Floats) -> float:
        """Return the half width of the interval of a ratio of sums over blocks."""
        return intervals.block_halfwidth(amounts, weights, self.length.coarser)
