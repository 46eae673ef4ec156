"""Find the rows that a selector means."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plimsoll.run_files.intervals import TAG_SEPARATOR
from reports.thresholds.statement import About, Condition, Selector

Mask = NDArray[np.bool_]


def selected(selector: Selector, rows: pd.DataFrame) -> Mask:
    """Mark the rows in which all conditions of an alternative hold; every condition needs its column."""
    found: Mask = np.zeros(len(rows), dtype=bool)
    for alternative in selector.alternatives:
        found |= np.logical_and.reduce([_holding(condition, rows) for condition in alternative])
    return found


def lacks(selector: Selector, rows: pd.DataFrame) -> bool:
    """Tell whether the rows do not tell what a condition is about."""
    return any(condition.about.value not in rows for condition in selector.conditions)


def values_of(condition: Condition, rows: pd.DataFrame) -> set[str]:
    """Return the values of what a condition is about."""
    values = {str(value) for value in rows[condition.about.value].unique()}
    if condition.about is About.TAG:
        return {tag for value in values for tag in value.split(TAG_SEPARATOR)} - {""}
    return values


def _holding(condition: Condition, rows: pd.DataFrame) -> Mask:
    code, values = coded(rows[condition.about.value])
    # A text that is missing, as a type may be in a foreign file, fits nothing; its code is the last: -1.
    holds = np.array([*condition.holds([str(value) for value in values]), condition.negated])
    return holds[code]


def coded(texts: "pd.Series[str]") -> tuple[NDArray[np.int64], Sequence[object]]:
    """Return for each text the number of its value, -1 where it is missing, and the values."""
    array = texts.array
    if isinstance(array, pd.Categorical):
        return array.codes.astype(np.int64), array.categories.tolist()
    code, values = pd.factorize(texts.to_numpy(dtype=object))
    return code.astype(np.int64), values.tolist()
