"""Synthetic minutes of an open load: what was planned, and what was started, late or dropped."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reports.load.run import HEALTH_COLUMNS, STAGE_COLUMNS, Arrivals, Run, Stage
from tests.make_intervals import START_S, run_of

HOLD = (Stage("hold", 0, 60, 10, 10),)
OPEN: dict[str, Any] = {"load_model": "open", "stages": HOLD, "arrivals": Arrivals(600, "even")}


def health(started: float = 10.0, late: float = 0.0, dropped: float = 0.0) -> pd.DataFrame:
    """Return health.csv of a minute in which so many iterations were started, late and dropped a second."""
    columns = {
        "unix_s": START_S + 1.0 + np.arange(60),
        "process": "local",
        "in_flight": 1.0,
        "lag_max_ms": 0.0,
    }
    rates = {"started": started, "late": late, "dropped": dropped}
    counted = {key: np.diff(np.floor(rate * np.arange(61) + 1e-9)) for key, rate in rates.items()}
    return pd.DataFrame(columns | counted).reindex(columns=list(HEALTH_COLUMNS))


def stages(rate: float = 10.0) -> pd.DataFrame:
    """Return schedule.csv of a minute with so many planned arrivals a second, and users added as needed."""
    seconds = np.arange(61, dtype=float)
    columns = {"unix_s": START_S + seconds, "elapsed_s": seconds, "stage": "hold", "planned_rate": rate}
    return pd.DataFrame(columns | {"users": 20.0}).reindex(columns=list(STAGE_COLUMNS))


def open_run(*parts: pd.DataFrame, limits: tuple[float, ...] = (500.0,), **counted: float) -> Run:
    """Return a minute of 10 arrivals a second that made these requests."""
    run = run_of(pd.concat(parts), *limits, **OPEN)
    return replace(run, health=health(**counted), stages=stages())
