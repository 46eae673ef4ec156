"""Cut the history of a run into equal time blocks."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.estimates.intervals import block_halfwidth
from reports.load.run import REQUEST_KEYS, Run

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

    def merged(self, count: int) -> "Blocks | None":
        """Return fewer blocks, None where there are not as many."""
        if len(self.n) < count:
            return None
        block = np.ceil(np.arange(1, len(self.n) + 1) * count / len(self.n)).astype(np.int64) - 1
        n, failures, latency_ms = (
            np.bincount(block, values, count).astype(np.float64)
            for values in (self.n, self.failures, self.latency_ms)
        )
        length_s = self.length.length_s * len(self.n) / count
        return Blocks(n, failures, latency_ms, BlockLength(count, length_s))

    def halfwidth(self, amounts: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
        """Return the half width of the interval of a ratio of sums over the blocks."""
        return block_halfwidth(amounts, weights, self.length.coarser)


def seconds_of(run: Run, requests: pd.DataFrame) -> Blocks | None:
    """Return what the history counts of these rows of the statistics in each second; None if nothing."""
    unix_s = run.history["unix_s"].to_numpy()
    length_s = math.ceil(unix_s.max() - unix_s.min()) if len(unix_s) else 0
    if not length_s:
        return None
    wanted, of = _requests(requests, run.history)
    are_meant = np.isin(of, wanted)
    at_s, *counted = (run.history[c].to_numpy()[are_meant] for c in ("unix_s", "n", "failures", "mean_ms"))
    # A row written at second t counts what was seen up to t.
    second = np.maximum(np.ceil(at_s - unix_s.min()).astype(np.int64) - 1, 0)
    n, failures, latency_ms = (
        np.bincount(second, added, length_s).astype(np.float64)
        for added in _increments(of[are_meant], *counted).T
    )
    return Blocks(n, failures, latency_ms, BlockLength(length_s, 1.0)) if n.any() else None


def _requests(*tables: pd.DataFrame) -> list[NDArray[np.int64]]:
    """Number the rows of each table by their request, which has the same number in all of them."""
    number = np.zeros(sum(map(len, tables)), dtype=np.int64)
    for key in REQUEST_KEYS:
        texts = np.concatenate([table[key].to_numpy(dtype=object) for table in tables])
        code, values = pd.factorize(texts, use_na_sentinel=False)
        number = number * len(values) + code
    return np.split(number, np.cumsum([len(table) for table in tables])[:-1])


def _increments(
    request: NDArray[np.int64],
    n: NDArray[np.float64],
    failures: NDArray[np.float64],
    mean_ms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what each row adds to the one before of the same request: its n, failures and latency in ms."""
    counted = np.column_stack((n, failures, np.where(n > 0, mean_ms * n, 0.0)))
    order = np.argsort(request, kind="stable")
    added = np.diff(counted[order], axis=0, prepend=0.0)
    is_first = np.diff(request[order], prepend=-1) != 0
    # Locust's --reset-stats starts the counts again: then a row adds all that it counts.
    is_anew = is_first | (added[:, 0] < 0)
    added = np.where(is_anew[:, None] | np.isnan(added), counted[order], added)
    back = np.empty_like(added)
    back[order] = np.where(np.isnan(added), 0.0, added)
    return back
