"""Check that failures are limited: they are in no latency, which only successes have."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from reports.estimates.selecting import lacks, selected
from reports.load.run import REQUEST_KEYS, Run
from reports.thresholds.grammar import UPPER_LIMITS, Statement
from reports.thresholds.reading import Threshold
from reports.verdict.check import Check

FAILED_RATIO = 0.01
ABOUT_FAILURES = {"error_rate", "failures"}


def failures_limited(run: Run, thresholds: Sequence[Threshold]) -> Iterator[Check]:
    """Yield the share of failures of the requests that no threshold limits the failures of.

    They are held to FAILED_RATIO together and each name by itself; a single failure of a name only counts
    in the former. The check is of the worst, and left out where every request is covered.
    """
    made = run.intervals.rows if run.intervals else run.total if run.requests.empty else run.requests
    covered = np.zeros(len(made), dtype=bool)
    for threshold in thresholds:
        if threshold.level == "fail" and _limits_failures(threshold.statement, made):
            covered |= selected(threshold.statement.selector, made)
    left = made[~covered & (made["n"] > 0).to_numpy()]
    if left.empty or not thresholds:
        return
    names = left.groupby(REQUEST_KEYS, observed=True, dropna=False)[["n", "failures"]].sum().reset_index()
    n, failures = names["n"].to_numpy(), names["failures"].to_numpy()
    ratio, example = float(failures.sum() / n.sum()), "error_rate < 1%"
    subject = f"the other {n.sum():.0f} requests" if covered.any() else "the requests"
    ratios = np.where(failures > 1, failures / n, 0.0)
    worst = int(ratios.argmax())
    if ratios[worst] > FAILED_RATIO and (covered.any() or ratio <= FAILED_RATIO):
        ratio, name = float(ratios[worst]), str(names["name"][worst])
        subject, example = f"the {n[worst]:.0f} requests {name!r}", f'error_rate of "{name}" < 1%'
    ok = ratio <= FAILED_RATIO
    reason = f"{ratio:.1%} of {subject} failed, and no threshold limits their failures; add '{example}'"
    yield Check("failures_limited", ratio, FAILED_RATIO, ok, "" if ok else reason)


def _limits_failures(statement: Statement, made: pd.DataFrame) -> bool:
    """Return whether a threshold caps failures of requests, as far as the run tells whose."""
    is_cap = statement.metric.name in ABOUT_FAILURES and statement.operator in UPPER_LIMITS
    return is_cap and statement.selector.of_requests and not lacks(statement.selector, made)
