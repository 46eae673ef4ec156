"""Predict what the users of a plan ask for, and when, by the steps that their tasks declare.

Of a task the steps are known: requests, and pauses between them. A user begins with one of its tasks, chosen
by weight, waits, and goes on with another, so that its requests are a renewal process: with g the requests
of one iteration by the time since it began, and f the density of the time from one to the next,
m = g + f * m are those of a user by its age. Answers are taken to come at once: their time is small
against the pauses of any user that stands for a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.planning.planned_load import BINS, Floats, PlannedLoad
from reports.thresholds.selectors import TRANSACTIONS, Target

POINTS = 16
"""So many equally likely lengths stand for a pause drawn between two bounds."""


@dataclass(frozen=True)
class Expected:
    """Hold how many of a name users of a class will make in each bin of a run."""

    user_class: str
    target: Target
    name: str
    by_bin: Floats


def expected(load: PlannedLoad, user_class: Mapping[str, Any]) -> list[Expected] | None:
    """Return what the users of a class will make, None where its tasks do not say."""
    tasks = user_class["tasks"]
    if not tasks or any(task["steps"] is None for task in tasks):
        return None
    per_iteration, gap = _iteration(load, user_class)
    names = sorted(per_iteration)
    g = np.array([per_iteration[name] for name in names]).T
    is_arriving = load.is_open and not user_class["fixed_count"]
    if not is_arriving:
        if gap[0] > 1 - 1e-9:  # without any pause, answers alone make the time
            return None
        g = _renewed(g, gap)
    made = _by_bin(_share_of_levels(load, user_class), g, are_users=not is_arriving)
    return [
        Expected(user_class["name"], _target(name, user_class), name.removeprefix(TRANSACTIONS), made[:, at])
        for at, name in enumerate(names)
    ]


def _target(name: str, user_class: Mapping[str, Any]) -> Target:
    if name.startswith(TRANSACTIONS):
        return Target.TRANSACTIONS
    if name.startswith(f"{user_class['name']}."):
        return Target.ITERATIONS
    return Target.REQUESTS if name in user_class["requests"] else Target.METRICS


def _iteration(load: PlannedLoad, user_class: Mapping[str, Any]) -> tuple[dict[str, Floats], Floats]:
    """Return what an iteration makes of each name, and when the next begins, by bins since it began."""
    weights = sum(task["weight"] for task in user_class["tasks"])
    made: dict[str, Floats] = {}
    gap = np.zeros(BINS)
    for task in user_class["tasks"]:
        now = np.zeros(BINS)
        now[0] = task["weight"] / weights
        made[f"{user_class['name']}.{task['name']}"] = now
        for step in task["steps"]:
            if isinstance(step, str | Mapping):
                for name, number in {step: 1.0}.items() if isinstance(step, str) else step.items():
                    made[name] = made.get(name, np.zeros(BINS)) + number * now
            else:
                now = _later(now, step, load.bin_s)
        if user_class["cycle_s"] is not None:
            now = np.zeros(BINS)
            now[0] = task["weight"] / weights
            gap += _later(now, user_class["cycle_s"], load.bin_s)
        else:
            gap += _later(now, user_class["wait_s"], load.bin_s)
    return made, gap


def _later(now: Floats, pause: float | tuple[float, float], bin_s: float) -> Floats:
    """Return a distribution over bins after a pause; what falls between two bins keeps its mean."""
    low, high = (pause, pause) if isinstance(pause, int | float) else pause
    later = np.zeros(BINS)
    for bins in np.linspace(low, high, 2 * POINTS + 1)[1::2] / bin_s:
        whole, part = divmod(float(bins), 1.0)
        for shift, weight in ((int(whole), (1 - part) / POINTS), (int(whole) + 1, part / POINTS)):
            if shift < BINS:
                later[shift:] += weight * now[: BINS - shift]
    return later


def _renewed(g: Floats, gap: Floats) -> Floats:
    """Return m = g + gap * m: what a user makes by the bins of its age."""
    made = np.zeros_like(g)
    for age in range(BINS):
        made[age] = (g[age] + gap[age:0:-1] @ made[:age]) / (1 - gap[0])
    return made


def _by_bin(levels: Floats, made: Floats, *, are_users: bool) -> Floats:
    """Return what is made in each bin of a run: by users who come and go, or by iterations that start."""
    ages, result = np.zeros(BINS), np.zeros((BINS, made.shape[1]))
    there = 0.0
    for now, level in enumerate(levels):
        ages[1:], ages[0] = ages[:-1].copy(), 0.0
        if not are_users:
            ages[0] = level
        elif level >= there:
            ages[0] = level - there
        else:  # it stops some of them, whatever their age
            ages *= level / there
        there = level
        result[now] = ages @ made
    return result


def _share_of_levels(load: PlannedLoad, user_class: Mapping[str, Any]) -> Floats:
    """Return how many users of a class there are in each bin, or how many of its iterations start in it."""
    if user_class["fixed_count"]:
        return np.full(BINS, float(user_class["fixed_count"]))
    others = [each for each in load.user_classes if not each["fixed_count"]]
    share = float(user_class["weight"]) / (sum(each["weight"] for each in others) or 1)
    if load.is_open:
        return np.asarray(share * load.levels * load.bin_s, dtype=np.float64)
    fixed = sum(each["fixed_count"] for each in load.user_classes)
    return np.asarray(share * np.maximum(load.levels - fixed, 0.0), dtype=np.float64)
