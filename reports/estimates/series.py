"""Estimate figures of what was sampled every second: the generator's CPU, memory, and lag.

They were seen, and are exact: of all samples of all processes that made load, in a part of the run.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.estimates import trend
from reports.estimates.estimate import Estimate, exact
from reports.load.run import Run
from reports.steady_state import SteadyState, judged_health
from reports.thresholds.metrics import DEGRADATION, SERIES, SLOPE, Metric
from reports.thresholds.statement import Statement

Floats = NDArray[np.float64]


def sampled(statement: Statement, run: Run, part: SteadyState) -> tuple[Estimate | None, str]:
    """Return the estimate of a sampled series in a part of the run, or None and why there is none."""
    name, metric = statement.selector.pattern, statement.metric
    series, source = SERIES[name], name.partition(".")[0]
    if source != "generator":
        return None, f"the run has no samples of {name!r}"
    rows = judged_health(run, part)
    values = rows[series.column].to_numpy(dtype=np.float64) * series.factor
    known = values[~np.isnan(values)]
    if not len(known):
        return None, f"the run has no samples of {name!r}"
    if metric.name in {DEGRADATION, SLOPE}:
        at = part.blocks(rows["unix_s"].to_numpy(dtype=np.float64).astype(np.int64) - 1, trend.BLOCKS)
        means = pd.Series(values).groupby(at).mean().reindex(range(trend.BLOCKS))
        return change_of(metric, means.to_numpy().astype(np.float64), part, len(known))
    match metric.figure:
        case "mean":
            value = float(known.mean())
        case "min":
            value = float(known.min())
        case "max":
            value = float(known.max())
        case _:
            assert metric.level is not None
            value = float(np.quantile(known, metric.level / 100, method="inverted_cdf"))
    return exact(value, len(known), "sampled every second"), ""


def change_of(metric: Metric, values: Floats, part: SteadyState, n: int) -> tuple[Estimate | None, str]:
    """Return the degradation or the slope of the values of equal parts, or None and why there is none."""
    of = trend.degradation if metric.name == DEGRADATION else trend.slope_per_hour
    found = of(values, float(part.length_s), n)
    return found, f"fewer than {trend.FEWEST_BLOCKS} of {trend.BLOCKS} parts of {part.length_s} s have data"
