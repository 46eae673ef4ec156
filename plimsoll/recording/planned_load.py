"""Describe a load before it starts, for `python -m reports check` to say which of its limits it decides."""

from __future__ import annotations

from locust import User
from locust.env import Environment

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from plimsoll.locust_internals import pacing_s
from plimsoll.recording.options import options_of
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_plan import RunPlan, profile_of

LOCUST_WAIT_TIMES = "locust.user.wait_time"
DRAWS = 400
"""Of a wait time, whose bounds are taken to be the least and the most drawn: within 1 % of Locust's own."""


def planned_load(environment: Environment) -> dict[str, object]:
    """Return the plan of a run for JSON: what run.json will say of it, its users, and their classes."""
    options = options_of(environment)
    return {
        **RunPlan(environment, RunClock(), set_up_s=0.0).facts(),
        "profile": profile_of(environment),
        "users": options.num_users or 1,
        "spawn_rate": options.spawn_rate or 1.0,
        "user_classes": [_class_facts(each, environment) for each in environment.user_classes],
    }


def _class_facts(user_class: type[User], environment: Environment) -> dict[str, object]:
    """Return what is known of the users of a class, and of their iterations, None where it is not."""
    every_s: float | None = getattr(user_class, "every_s", None)  # of a scheduled check
    cycle_s = pacing_s(user_class.wait_time)
    if every_s is not None:
        cycle_s = every_s * float(getattr(options_of(environment), "time_scale", 1.0))
    weights = Counter(getattr(task, "__name__", "task") for task in getattr(user_class, "tasks", ()))
    declared: Mapping[str, Sequence[Any]] = getattr(user_class, "task_requests", {})
    requests = getattr(user_class, "request_names", None) or ()
    return {
        "name": user_class.__name__,
        "weight": user_class.weight,
        "fixed_count": user_class.fixed_count,
        "wait_s": _wait_bounds_s(user_class),
        "cycle_s": cycle_s,
        "requests": sorted(requests),
        "tasks": [
            {"name": name, "weight": weight, "steps": declared.get(name)} for name, weight in weights.items()
        ],
    }


def _wait_bounds_s(user_class: type[User]) -> tuple[float, float] | None:
    """Return between which seconds a user waits; 0 for a wait time of its own, which its steps include."""
    wait: Any = user_class.wait_time
    if getattr(wait, "__module__", "") != LOCUST_WAIT_TIMES:
        return (0.0, 0.0)
    if pacing_s(wait) is not None:
        return None
    state = random.getstate()
    drawn_s = [float(wait(None)) for _ in range(DRAWS)]
    random.setstate(state)  # users draw what they would have drawn
    return min(drawn_s), max(drawn_s)
