"""Whether users have anything to do: one without tasks fails at once, again and again, and sends nothing."""

from __future__ import annotations

from locust import User
from locust.env import Environment
from locust.user.task import is_markov_taskset

import inspect
import re
import sys
from collections.abc import Iterable
from typing import Any

from plimsoll.recording.options import options_of
from plimsoll.recording.origin import tags_of_tasks

_SETS_TASKS = re.compile(r"""\.tasks\b|["']tasks["']""")


def task_faults(environment: Environment, user_classes: Iterable[type[User]]) -> list[str]:
    """Return which user classes have nothing to do: their users would only fail, again and again."""
    options = options_of(environment)
    tags, excluded = set(options.tags or ()), set(options.exclude_tags or ())
    given = {"--tags": tags, "--exclude-tags": excluded}
    cause = " and ".join(
        f"{option} {' '.join(map(repr, sorted(each)))}" for option, each in given.items() if each
    )
    faults = []
    for user_class in user_classes:
        if _has_task(user_class, tags, excluded) or _may_get_tasks(user_class):
            continue
        if _has_task(user_class, set(), set()):
            known = ", ".join(sorted(tags_of_tasks([user_class]))) or "none"
            fault = f"{cause}: no task of {user_class.__name__} is left (tags of its tasks: {known});"
            faults.append(f"{fault} give tags that leave one, or do not run this class")
        else:
            fault = f"{user_class.__name__} has no task: decorate methods with @task, set its tasks,"
            faults.append(f"{fault} or make it abstract = True")
    return faults


def _has_task(task: Any, tags: set[str], excluded: set[str]) -> bool:
    """Tell whether a task, or one within it if it holds tasks, is left by tags, as Locust filters them."""
    if hasattr(task, "tasks"):
        return is_markov_taskset(task) or any(_has_task(inner, tags, excluded) for inner in task.tasks)
    own: set[str] = getattr(task, "locust_tag_set", set())
    return (not tags or bool(own & tags)) and not own & excluded


def _may_get_tasks(user_class: type[User]) -> bool:
    """Tell whether users of a class do without tasks of the class, or some code may set them later."""
    if user_class.run is not User.run:
        return True
    modules = {each.__module__ for each in user_class.__mro__}
    own = [name for name in modules if name != "builtins" and not name.startswith("locust.")]
    try:
        return any(_SETS_TASKS.search(inspect.getsource(sys.modules[name])) for name in own)
    except (KeyError, OSError, TypeError):
        return True  # unknown


def user_count_faults(environment: Environment) -> list[str]:
    """Return why a run that starts by itself would have no users; a shape has a number of its own."""
    users = options_of(environment).num_users
    if environment.shape_class or users is None or users >= 1:
        return []
    return [f"--users must be at least 1, got {users}"]
