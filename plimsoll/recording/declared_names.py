"""The names that a run may have: those that its journeys declare, and the stages of its shape."""

from __future__ import annotations

from locust import LoadTestShape, User

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from plimsoll.context import tag_words
from plimsoll.loads.intended_starts import iteration_name
from plimsoll.loads.schedule import ScheduleError, is_number
from plimsoll.loads.scheduled_shape import PlannedShape
from plimsoll.redact import redact_name


class KnownNames(NamedTuple):
    """What a run can send, as far as its journeys declare it; None for the requests where one does not.

    Those of metrics, tags and transactions may be globs: `*` where any may come. The stages are None where
    they are not known.
    """

    requests: Iterable[str] | None
    metrics: Iterable[str]
    users: Iterable[str]
    tags: Iterable[str]
    transactions: Iterable[str]
    iterations: Iterable[str]
    stages: Sequence[str] | None = None


def known_names(classes: Sequence[type[User]]) -> KnownNames:
    """Return what these journeys can send, as far as they declare it."""
    return KnownNames(
        known_request_names(classes),
        sorted(declared_names(classes, "metric_names") | declared_names(classes, "client_metric_names")),
        sorted(user_class.__name__ for user_class in classes),
        sorted(declared_names(classes, "tag_names") | tags_of_tasks(classes)),
        sorted(declared_names(classes, "transaction_names")),
        sorted(iterations_of(classes)),
    )


def known_request_names(classes: Iterable[type[User]]) -> set[str] | None:
    """Return every request name that journeys declare, as it is recorded; None where one declares none."""
    names: set[str] = set()
    for user_class in classes:
        declared: Iterable[str] | None = getattr(user_class, "request_names", None)
        if declared is None:
            return None
        names.update(map(redact_name, declared))
    return names


def declared_names(classes: Iterable[type[User]], attribute: str) -> set[str]:
    """Return the recorded names that an attribute of the journeys declares, or globs; None declares `*`."""
    names: set[str] = set()
    for user_class in classes:
        declared: Iterable[str] | None = getattr(user_class, attribute, ())
        names.update(["*"] if declared is None else map(redact_name, declared))
    return names


def _tasks_of(holder: Any) -> set[Any]:
    """Return the tasks of a user class, among them TaskSets and the tasks within them."""
    found: set[Any] = set()
    left = [holder]
    while left:
        new = set(getattr(left.pop(), "tasks", ())) - found
        found |= new
        left.extend(new)
    return found


def tags_of_tasks(user_classes: Iterable[type[User]]) -> set[str]:
    """Return the tags that Locust's `@tag` gave the tasks of user classes, in TaskSets within them too."""
    tasks = {task for user_class in user_classes for task in _tasks_of(user_class)}
    return {word for task in tasks for word in tag_words(getattr(task, "locust_tag_set", ()))}


def iterations_of(user_classes: Iterable[type[User]]) -> set[str]:
    """Return the names that the iterations of user classes have under a schedule.

    Users may be given their tasks when they are made; of those whose class has none any may come.
    """
    names: set[str] = set()
    for user_class in user_classes:
        tasks = _tasks_of(user_class)
        if all(getattr(holder, "tasks", ()) for holder in (user_class, *tasks) if isinstance(holder, type)):
            names |= {iteration_name(user_class, task) for task in tasks if not isinstance(task, type)}
        else:
            names.add(f"{user_class.__name__}.*")
    return names


def stages_of(shape: LoadTestShape | None) -> list[str] | None:
    """Return the names of the stages that a run with this shape has, None where they are not known.

    Those of a search follow from its verdicts. Without a shape there are none, nor with one of Locust's own.
    """
    if not isinstance(shape, PlannedShape):
        return []
    try:
        return None if shape.is_search else [stage.name for stage in shape.schedule.stages]
    except ScheduleError:
        return None


def declaration_faults(classes: Iterable[type[User]]) -> list[str]:
    """Return which attributes of user classes cannot declare what they are to."""
    faults = []
    for user_class in classes:
        name = user_class.__name__
        faults += [
            f"{name}.{attribute} must be a set of names, got {names!r}"
            for attribute in ("request_names", "metric_names", "tag_names", "transaction_names")
            if isinstance(names := getattr(user_class, attribute, None), str)
        ]
        declared = getattr(user_class, "task_requests", {})
        if not isinstance(declared, Mapping):
            faults.append(f"{name}.task_requests must map names of tasks to their steps, got {declared!r}")
            continue
        for task, steps in declared.items():
            if not isinstance(steps, list | tuple):
                faults.append(f"{name}.task_requests[{task!r}] must be a tuple of steps, got {steps!r}")
                continue
            faults += [
                f"{name}.task_requests[{task!r}] has the step {step!r}; valid are a name, seconds,"
                " (least, most) seconds, and a mapping of names to how many there are in the mean"
                for step in steps
                if not _is_step(step)
            ]
    return faults


def _is_step(step: object) -> bool:
    if isinstance(step, Mapping):
        return all(isinstance(name, str) and is_number(n) and n >= 0 for name, n in step.items())
    if isinstance(step, tuple):
        return len(step) == 2 and all(map(is_number, step)) and 0 <= step[0] <= step[1]
    return isinstance(step, str) or (isinstance(step, int | float) and is_number(step) and step >= 0)
