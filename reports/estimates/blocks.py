"""Cut the history of a run into equal time blocks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.estimates.intervals import block_halfwidth
from reports.load.run import Run

BLOCKS = 10
SHORTEST_S = 10.0
"""Shorter blocks may be alike only because they are near in time. At the limit of a p95, of 30 s of latencies
whose level has an autocorrelation of 0.8 from second to second, 14 % pass over ten blocks, and 4 % where the
widest interval over ten, five and three is taken; at 0.95 still 11 %, which is why it is said."""
COARSER = (5, 3)


@dataclass(frozen=True)
class BlockLength:
    """Hold how long each of the blocks is, and what follows from it."""

    count: int
    length_s: float

    @property
    def is_short(self) -> bool:
        """Tell whether blocks may be alike only because they are near in time."""
        return self.length_s < SHORTEST_S

    @property
    def coarser(self) -> tuple[int, ...]:
        """Return into how many longer blocks they are merged besides."""
        return COARSER if self.is_short else ()

    @property
    def words(self) -> str:
        """Describe the blocks for the method of an estimate."""
        more = f", or {' or '.join(map(str, COARSER))} longer ones if wider" if self.is_short else ""
        return f"{self.count} blocks of {round(self.length_s, 1):g} s{more}"

    @property
    def caveat(self) -> str:
        """Say what short blocks leave open."""
        shown = f"blocks of {round(self.length_s, 1):g} s, under {SHORTEST_S:.0f} s, may miss slow swings"
        return shown if self.is_short else ""


@dataclass(frozen=True)
class Blocks:
    """Hold the requests, failures and summed latency of each of equally long blocks, one number a block."""

    n: NDArray[np.float64]
    failures: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    length: BlockLength

    def halfwidth(self, amounts: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
        """Return the half width of the interval of a ratio of sums over the blocks."""
        return block_halfwidth(amounts, weights, self.length.coarser)


def blocks_of(run: Run, requests: pd.DataFrame) -> Blocks | None:
    """Return the blocks of these rows of the statistics, all together.

    None when the history has no rows of theirs, or is shorter than one second a block.
    """
    keys = ["request_type", "name"]
    wanted = pd.MultiIndex.from_frame(requests[keys])
    rows = run.history.loc[pd.MultiIndex.from_frame(run.history[keys]).isin(wanted)]
    if rows.empty:
        return None
    start_s, end_s = run.history["unix_s"].min(), run.history["unix_s"].max()
    if end_s - start_s < BLOCKS:
        return None
    # A row written at second t counts what was seen up to t, so a block holds the rows after its start.
    edges = np.linspace(start_s, end_s, BLOCKS + 1)
    block = np.clip(np.searchsorted(edges, rows["unix_s"], side="left") - 1, 0, BLOCKS - 1)
    sums = _increments(rows).groupby(block).sum().reindex(range(BLOCKS), fill_value=0.0)
    return Blocks(
        n=sums["n"].to_numpy(dtype=float),
        failures=sums["failures"].to_numpy(dtype=float),
        latency_ms=sums["latency_ms"].to_numpy(dtype=float),
        length=BlockLength(BLOCKS, float(end_s - start_s) / BLOCKS),
    )


def _increments(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what each row adds to the one before of the same request."""
    counted = pd.DataFrame(
        {
            "n": rows["n"],
            "failures": rows["failures"],
            "latency_ms": (rows["mean_ms"] * rows["n"]).where(rows["n"] > 0, 0.0),
        }
    )
    added = counted.groupby([rows["request_type"], rows["name"]]).diff().fillna(counted)
    # Locust's --reset-stats starts the counts again: then a row adds all that it counts.
    restarted = added["n"] < 0
    added.loc[restarted] = counted.loc[restarted]
    return added.fillna(0.0)
