"""Hold the plan of a load, as it is handed over before a run: its level at each time, its user classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.files import OPEN

Floats = NDArray[np.float64]
Window = tuple[float, float]
"""From and to, in seconds since the start of the run."""

SHORTEST_WINDOW_S = 5.0
STEP_WARM_UP_RATIO = 0.2
"""As of the judge: `reports.steady_state` and `reports.verdict.capacity`, which would wait for pandas."""
BINS = 1000
"""Into so many a run is divided, of which none depends on another's rounding: means are kept."""


@dataclass(frozen=True)
class PlannedStage:
    """Hold a stretch in which the level, in users or in iterations started a second, is a straight line."""

    name: str
    from_s: float
    to_s: float
    from_level: float
    to_level: float


@dataclass(frozen=True)
class PlannedLoad:
    """Hold a plan; `stages` of a load without a shape are those of its spawn rate.

    `length_s` is 0 where nothing but a signal ends the run.
    """

    profile: str
    load_model: str
    has_shape: bool
    is_search: bool
    steps: tuple[str, ...]
    stages: tuple[PlannedStage, ...]
    warm_up_s: float
    length_s: float
    user_scale: float
    time_scale: float
    user_classes: tuple[Mapping[str, Any], ...]

    @property
    def is_open(self) -> bool:
        """Tell whether levels are iterations started a second."""
        return self.load_model == OPEN

    @property
    def times_s(self) -> Floats:
        """Return the middles of the bins of the run."""
        return np.asarray((np.arange(BINS) + 0.5) * self.bin_s, dtype=np.float64)

    @property
    def bin_s(self) -> float:
        """Return the length of a bin."""
        return self.length_s / BINS

    @property
    def levels(self) -> Floats:
        """Return the level in the middle of each bin."""
        times_s, levels = self.times_s, np.zeros(BINS)
        for stage in self.stages:
            inside = (times_s >= stage.from_s) & (times_s < stage.to_s)
            passed = (times_s[inside] - stage.from_s) / (stage.to_s - stage.from_s)
            levels[inside] = stage.from_level + (stage.to_level - stage.from_level) * passed
        return levels

    @property
    def peak_level(self) -> float:
        """Return the highest level."""
        return max(max(stage.from_level, stage.to_level) for stage in self.stages)

    def share_of_bins(self, window: Window) -> Floats:
        """Return the share of each bin that is within a window."""
        edges_s = np.arange(BINS + 1) * self.bin_s
        inside_s = np.minimum(edges_s[1:], window[1]) - np.maximum(edges_s[:-1], window[0])
        return np.asarray(np.clip(inside_s / self.bin_s, 0.0, 1.0), dtype=np.float64)

    def exposure(self, window: Window) -> float:
        """Return the seconds of users within a window, or the iterations started."""
        return float(self.levels @ self.share_of_bins(window)) * self.bin_s

    @property
    def whole(self) -> Window:
        """Return the whole run."""
        return 0.0, self.length_s

    @property
    def judged(self) -> Window:
        """Return the time that will be judged: without ramps from and to zero, and without warm-up.

        How much more a service takes to warm up, which the judge cuts from a constant load, nobody can plan.
        A search is judged by its steps: the first is the shortest of samples.
        """
        first, last = self.stages[0], self.stages[-1]
        if self.is_search:
            step = next(stage for stage in self.stages if stage.name in self.steps)
            return step.from_s + STEP_WARM_UP_RATIO * (step.to_s - step.from_s), step.to_s
        from_s = first.to_s if first.from_level == 0 < first.to_level else first.from_s
        to_s = last.from_s if last.to_level == 0 < last.from_level else last.to_s
        window = max(from_s, self.warm_up_s), to_s
        return window if window[1] - window[0] >= SHORTEST_WINDOW_S else self.whole


def read_planned_load(facts: Mapping[str, Any]) -> PlannedLoad:
    """Return the plan in what `plimsoll` says of it: the facts of run.json, users, and user classes."""
    stages = [_stage(each) for each in facts["stages"]]
    length_s, users = facts["planned_duration_s"] or 0.0, facts["users"]
    if not stages and length_s:
        # Locust starts so many of them at once, and as many again every second.
        ramp_s = min(max(0.0, users / facts["spawn_rate"] - 1), length_s)
        ramp = [PlannedStage("ramp", 0.0, ramp_s, 0.0, users)] if ramp_s else []
        stages = [*ramp, PlannedStage("load", ramp_s, length_s, users, users)]
    return PlannedLoad(
        facts["profile"],
        facts["load_model"],
        facts["shape"] is not None,
        facts["is_search"],
        tuple(facts["steps"]),
        tuple(stage for stage in stages if stage.to_s > stage.from_s),
        facts["warm_up_s"],
        length_s,
        facts["user_scale"],
        facts["time_scale"],
        tuple(facts["user_classes"]),
    )


def _stage(stage: Mapping[str, Any]) -> PlannedStage:
    unit = "rate" if "from_rate" in stage else "users"
    levels = float(stage[f"from_{unit}"]), float(stage[f"to_{unit}"])
    return PlannedStage(stage["name"], stage["from_s"], stage["to_s"], *levels)
