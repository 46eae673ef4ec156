"""Read the generator's health of the judged time."""

import pandas as pd

from reports.load.run import Run
from reports.steady_state import SteadyState

MASTER = "master"
"""Name of the master's own rows in health.csv."""


def judged_health(run: Run, window: SteadyState) -> pd.DataFrame:
    """Return the rows of health.csv about the window; each tells of the second before it was written."""
    written_s = run.health["unix_s"]
    return run.health[(written_s - 1 >= window.first_s) & (written_s <= window.end_s)]
