"""Read the generator's health: of the judged time, and how late its event loop woke in it."""

import pandas as pd

from reports.load.run import Run
from reports.steady_state import SteadyState

MASTER = "master"
"""Name of the master's own rows in health.csv."""


def judged_health(run: Run, window: SteadyState) -> pd.DataFrame:
    """Return the rows of health.csv about the window; each tells of the second before it was written."""
    written_s = run.health["unix_s"]
    return run.health[(written_s - 1 >= window.first_s) & (written_s <= window.end_s)]


def lag_ms(run: Run, window: SteadyState | None) -> float:
    """Return how late the event loop of the worst process woke, in ms: the mean of its seconds' p99.

    Every latency is measured by that loop, and so may be too long by as much.
    """
    if run.health.empty:
        return 0.0
    health = run.health if window is None else judged_health(run, window)
    by_process = health[health["process"] != MASTER].groupby("process")["lag_p99_ms"].mean()
    return float(by_process.max()) if by_process.notna().any() else 0.0
