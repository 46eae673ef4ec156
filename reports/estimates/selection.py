"""Select the rows of a recording that a threshold is about, within the judged time and by periods of it.

Of some requests less is known. One that was cut off in flight took its age at least. Of those that dropped
arrivals never made nothing is known but that they would have met the service when it was at its slowest:
they count as possible violations of a limit.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plimsoll.run_files.intervals import TAG_SEPARATOR
from reports.estimates.estimate import INDEPENDENT
from reports.estimates.intervals import CONFIDENCE
from reports.estimates.swings import MIN_PERIODS, period_count
from reports.load.histograms import Counts, Group, Histograms, Numbers, bucket_of, summed
from reports.load.intervals import Intervals, Latencies
from reports.steady_state import SteadyState
from reports.thresholds.selectors import About, Condition, Selector
from reports.wording import plural

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

METRIC = "metric"
"""What values are called that a journey measured itself."""
DROPPED_AT_END_S = 2
"""What still waits when a schedule ends is dropped then, and written down within a second or two."""


def selected(selector: Selector, rows: pd.DataFrame) -> Mask:
    """Mark the rows in which all conditions of an alternative hold; every condition needs its column."""
    found: Mask = np.zeros(len(rows), dtype=bool)
    for alternative in selector.alternatives:
        holds: Mask = np.ones(len(rows), dtype=bool)
        for condition in alternative:
            texts = rows[condition.about.value].array
            if isinstance(texts, pd.Categorical):
                code, values = texts.codes, texts.categories.tolist()
            else:
                code, distinct = pd.factorize(np.asarray(texts, dtype=object))
                values = distinct.tolist()
            # A text that is missing, as a type may be in a foreign file, fits nothing; its code is -1.
            fits = np.array([*condition.holds([str(value) for value in values]), condition.negated])
            holds &= fits[code]
        found |= holds
    return found


def lacks(selector: Selector, rows: pd.DataFrame) -> bool:
    """Tell whether the rows lack the column of a condition."""
    return any(condition.about.value not in rows for condition in selector.conditions)


def values_of(condition: Condition, rows: pd.DataFrame) -> set[str]:
    """Return the values of what a condition is about."""
    values = {str(value) for value in rows[condition.about.value].unique()}
    if condition.about is About.TAG:
        return {tag for value in values for tag in value.split(TAG_SEPARATOR)} - {""}
    return values


@dataclass(frozen=True)
class Selection:
    """Hold the requests (or `what` else) that a threshold is about: rows of a recording, in a window.

    `latencies` are the ones it is about, `health` the generator's seconds, which tell of dropped arrivals.
    `cut` says into how many periods, where that is not for the requests to say; `is_part` whether nothing
    outside of the window counts, as it does in counts of a whole run.
    """

    what: str
    recording: Intervals
    rows: Mask
    latencies: Latencies
    window: SteadyState
    health: pd.DataFrame
    confidence: float = CONFIDENCE
    cut: int | None = None
    is_part: bool = False

    @property
    def types(self) -> set[str]:
        """Return the types of the rows."""
        return set(self.recording.rows["request_type"][self.rows].unique())

    @cached_property
    def periods(self) -> int:
        """Return into how many equal periods the window is cut."""
        if self.cut is not None:
            return self.cut
        is_judged = self.window.blocks(self.recording.seconds("started_s"), 1) == 0
        n = float(self.recording.column("n")[self.rows & is_judged].sum())
        return period_count(self.window.length_s, n)

    @cached_property
    def started(self) -> Group:
        """Number the rows by the period in which their requests started."""
        return self._grouped("started_s", self.periods)

    @cached_property
    def n(self) -> int:
        """Return how many requests that started in the window were finished."""
        return int(self.column("n").sum())

    @cached_property
    def failures(self) -> int:
        """Return how many of them failed."""
        return int(self.column("failures").sum())

    def total(self, column: str) -> float:
        """Return the sum of a column over all of the run, or of its part."""
        if self.is_part:
            return float(self.column(column).sum())
        return float(np.nansum(self.recording.column(column)[self.rows]))

    def column(self, name: str) -> Floats:
        """Return the sums of a column by the periods in which requests started."""
        return self.by_period(self.recording.column(name))

    def by_period(self, values: Numbers, which: str = "started_s") -> Floats:
        """Return the sum of the values of rows in each period, in which their requests started or ended."""
        group = self.started if which == "started_s" else self._grouped(which, self.periods)
        return summed(values, group, self.periods)

    def by_second(self, values: Numbers, which: str = "started_s") -> Floats:
        """Return the sum of the values of rows in each second of the window."""
        return summed(values, self._grouped(which, self.window.length_s), self.window.length_s)

    def _grouped(self, which: str, count: int) -> Group:
        return np.where(self.rows, self.window.blocks(self.recording.seconds(which), count), -1)

    def histogram(self, histograms: Histograms) -> Counts:
        """Return the merged histogram of each period."""
        return self.recording.merged(histograms, self.started, self.periods)

    @property
    def period_s(self) -> float:
        """Return how long a period is, in seconds."""
        return self.window.length_s / self.periods

    def words(self, correlation_s: float) -> str:
        """Describe the intervals for the method of an estimate."""
        if self.periods < MIN_PERIODS:
            return INDEPENDENT
        alike = f"alike over about {correlation_s:.2g} s" if correlation_s else "which look independent"
        return f"allowing for swings over {self.periods} periods of {self.period_s:.3g} s, {alike}"

    @cached_property
    def unfinished(self) -> Counts:
        """Return the requests that were cut off in flight, by period and age."""
        return self.histogram(self.recording.unfinished)

    def unfinished_over(self, limit_ms: float) -> Counts:
        """Return the requests that were cut off when they were as old as a limit, by period and age."""
        return np.where(np.arange(self.recording.width) < bucket_of(limit_ms), 0.0, self.unfinished)

    def unfinished_between(self, above_ms: float, below_ms: float = math.inf) -> Floats:
        """Return how many requests of each period were cut off at ages between, outside of both buckets."""
        last = bucket_of(below_ms) if math.isfinite(below_ms) else self.recording.width
        between: Floats = self.unfinished[:, bucket_of(above_ms) + 1 : last].sum(axis=1)
        return between

    @cached_property
    def missing(self) -> Floats:
        """Return how many requests each period lacks by dropped arrivals: as many each as made by one."""
        columns = self.health[["unix_s", "started", "dropped"]].to_numpy(dtype=np.float64)
        written_s, starts, drops = columns[~np.isnan(columns).any(axis=1)].T
        # A row tells of the second before it was written.
        second, end_s = np.floor(written_s).astype(np.int64) - 1, self.window.end_s
        second = np.where((second >= end_s) & (second < end_s + DROPPED_AT_END_S), end_s - 1, second)
        period = self.window.blocks(second, self.periods)
        dropped, started = summed(drops, period, self.periods), float(starts[period >= 0].sum())
        return dropped * (self.n / started) if started else np.zeros(self.periods)


def unknown_outcome_note(
    unfinished: Floats, missing: Floats | None = None, what: str = "over the limit"
) -> str:
    """Say what requests may have been that were cut off too early to tell, or never made."""
    counts = {
        "cut off in flight": int(unfinished.sum()),
        "never made, as arrivals were dropped,": 0 if missing is None else math.ceil(missing.sum()),
    }
    parts = [f"{n} {plural(n, 'request was', 'requests were')} {why}" for why, n in counts.items() if n]
    return f"{' and '.join(parts)} that may have been {what}"
