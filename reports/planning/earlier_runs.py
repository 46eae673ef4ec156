"""Learn from earlier runs of a profile how much is asked for by each user and second, or iteration."""

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll.run_files.files import OPEN, RUN_FILE, SCHEDULE_FILE, VERDICT_FILE
from reports.files import read_regular
from reports.planning.planned_load import SHORTEST_WINDOW_S, PlannedLoad, Window
from reports.thresholds.metrics import COUNT, LATENCY
from reports.thresholds.selectors import Target
from reports.thresholds.statement import Statement

MOST_RUNS = 100
"""Of the newest folders so many are looked into: a load that starts must not wait for a history."""


@dataclass(frozen=True)
class EarlierRun:
    """Hold a run of the same profile: its users, or iterations a second, by the second, and its verdict."""

    name: str
    levels: Sequence[tuple[float, float]]
    window: Window
    duration_s: float
    verdict: Mapping[str, Any]

    def exposure(self, window: Window) -> float:
        """Return the seconds of users within a window, or the iterations started."""
        return sum(level for at_s, level in self.levels if window[0] <= at_s < window[1])

    def limit_like(self, statement: Statement) -> Mapping[str, Any] | None:
        """Return the threshold of its verdict that had the same samples, the same one if it is there."""
        alike = [
            each
            for each in self.verdict.get("thresholds", [])
            if each["selector"] == statement.selector.pattern
            and (each["metric"] == statement.metric.name or _has_samples_of(each, statement))
        ]
        return min(alike, key=lambda each: each["metric"] != statement.metric.name, default=None)

    def samples_per_exposure(self, statement: Statement) -> float | None:
        """Return the samples of a threshold by the seconds of users, or by iterations; None where unknown."""
        is_whole = statement.metric.kind is COUNT
        like = self.limit_like(statement)
        n = like["n"] if like is not None and (like["scope"] == "run") == is_whole else None
        window = (0.0, self.duration_s) if is_whole else self.window
        if n is None and statement.target is Target.REQUESTS:
            n, window = self._requests(statement), (0.0, self.duration_s)
        exposure = self.exposure(window)
        return n / exposure if n is not None and exposure else None

    def _requests(self, statement: Statement) -> int | None:
        """Return how many requests it made, where names alone say which are meant."""
        conditions = statement.selector.conditions
        if len(conditions) > 1 or conditions[0].prefix or conditions[0].negated:
            return None
        made = self.verdict.get("requests", [])
        names = set(conditions[0].choose([each["name"] for each in made]))
        chosen = [each for each in made if each["name"] in names]
        return sum(each["n"] - each["failures"] for each in chosen) if chosen else None


def _has_samples_of(limit: Mapping[str, Any], statement: Statement) -> bool:
    """Tell whether a threshold of a verdict counts what this one does: percentiles and means of successes."""
    return limit["unit"] == statement.metric.kind.unit == LATENCY.unit and not (
        limit["metric"].startswith(("corrected_", "cumulated_"))
    )


def newest_like(load: PlannedLoad, results: Path) -> EarlierRun | None:
    """Return the newest run of the profile that was judged in full, with the same users and kind of load."""
    folders = sorted((each for each in results.glob("*") if (each / VERDICT_FILE).is_file()), reverse=True)
    for folder in folders[:MOST_RUNS]:
        # One that is damaged, or of another release, is as good as none.
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            found = _read(load, folder)
            if found is not None:
                return found
    return None


def _read(load: PlannedLoad, folder: Path) -> EarlierRun | None:
    run = json.loads(read_regular(folder / RUN_FILE))
    journeys = sorted(each["name"] for each in load.user_classes)
    if (run["profile"], run["load_model"], run["journeys"]) != (load.profile, load.load_model, journeys):
        return None
    verdict = json.loads(read_regular(folder / VERDICT_FILE))
    window = verdict["steady_state"]["from_s"], verdict["steady_state"]["to_s"]
    if run["aborted"] or not verdict["run"]["requests"] or window[1] - window[0] < SHORTEST_WINDOW_S:
        return None
    column = "planned_rate" if load.load_model == OPEN else "users"
    rows = csv.DictReader(read_regular(folder / SCHEDULE_FILE).decode().splitlines())
    levels = [(float(row["elapsed_s"]), float(row[column] or 0)) for row in rows if row["elapsed_s"]]
    return EarlierRun(folder.name, levels, window, verdict["run"]["duration_s"], verdict)
