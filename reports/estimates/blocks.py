"""Cut the history of a run into equal time blocks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.run import Run

BLOCKS = 10
SHORTEST_S = 10.0
"""Blocks shorter than this may be alike only because they are near; said in the method, not refused."""


@dataclass(frozen=True)
class Blocks:
    """Hold the requests, failures and summed latency of each of equally long blocks, one number a block."""

    n: NDArray[np.float64]
    failures: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    length_s: float

    @property
    def words(self) -> str:
        """Describe the blocks for the method of an estimate."""
        short = " (shorter than 10 s: slow swings may be missed)" if self.length_s < SHORTEST_S else ""
        return f"{len(self.n)} blocks of {round(self.length_s, 1):g} s{short}"


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
        length_s=float(end_s - start_s) / BLOCKS,
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
