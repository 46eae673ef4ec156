"""Whose a request is: the class of its user and the tags it bears, noted in the greenlet that sends it."""

from __future__ import annotations

from gevent import getcurrent
from locust import TaskSet, User

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

from plimsoll.loads.iterations import iteration_name
from plimsoll.redact import redact_name
from plimsoll.run_files.intervals import TAG_SEPARATOR

# Each combination has rows of its own; a journey that makes up tags would make rows without end.
MAX_COMBINATIONS = 100
MAX_TAGS_LENGTH = 200
TOO_MANY = "(too many)"


class Origin:
    """A user class and a combination of tags; one object for each, so that it is quickly compared."""

    __slots__ = ("tags", "user_class")

    def __init__(self, user_class: str, tags: str = "") -> None:
        self.user_class, self.tags = user_class, tags


_origins: dict[tuple[str, str], Origin] = {}
# Tags as they came, sorted and redacted once.
_combinations: dict[frozenset[str], str] = {frozenset(): ""}


def current_origin() -> Origin:
    """Return the origin of what the current greenlet does: of the user, in the greenlet Locust gave it.

    Noted at the first call, because a greenlet that is being killed forgets its arguments before it ends.
    """
    greenlet = getcurrent()
    try:
        origin: Origin = greenlet.plimsoll_origin
    except AttributeError:
        origin = greenlet.plimsoll_origin = origin_of(user_class_of(greenlet), "")
    return origin


def user_class_of(greenlet: object) -> str:
    """Return the name of the class of the user whom Locust gave a greenlet, empty for any other greenlet."""
    arguments = getattr(greenlet, "args", None)
    user_class = type(arguments[0]) if arguments else object
    return user_class.__name__ if issubclass(user_class, User) else ""


def origin_of(user_class: str, tags: str) -> Origin:
    """Return the one origin of a user class, empty for none, and of tags as `combined` has them."""
    origin = _origins.get((user_class, tags))
    if origin is None:
        origin = _origins[user_class, tags] = Origin(user_class, tags)
    return origin


@contextmanager
def tagged(tags: Iterable[str]) -> Iterator[None]:
    """Add tags to what the current greenlet does in a with-block."""
    greenlet, before = getcurrent(), current_origin()
    own = {before.tags} - {""}
    greenlet.plimsoll_origin = origin_of(before.user_class, combined(frozenset({*own, *map(str, tags)})))
    try:
        yield
    finally:
        greenlet.plimsoll_origin = before


def combined(tags: frozenset[str]) -> str:
    """Return tags as one text, sorted and separated by commas; TOO_MANY from the 101st combination on."""
    known = _combinations.get(tags)
    if known is None:
        if len(_combinations) > MAX_COMBINATIONS:
            return TOO_MANY
        known = _combinations[tags] = TAG_SEPARATOR.join(sorted(_words_of(tags)))[:MAX_TAGS_LENGTH]
    return known


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
    return {word for task in tasks for word in _words_of(getattr(task, "locust_tag_set", ()))}


def iterations_of(user_classes: Iterable[type[User]]) -> set[str]:
    """Return the names that the iterations of user classes have under a schedule.

    Users may be given their tasks when they are made; of those whose class has none any may come.
    """
    return {name for user_class in user_classes for name in _iterations_of(user_class)}


def _iterations_of(user_class: type[User]) -> set[str]:
    tasks = _tasks_of(user_class)
    if not all(getattr(holder, "tasks", ()) for holder in (user_class, *tasks) if isinstance(holder, type)):
        return {f"{user_class.__name__}.*"}
    return {iteration_name(user_class, task) for task in tasks if not isinstance(task, type)}


def _words_of(tags: Iterable[str]) -> set[str]:
    """Return tags as they are recorded."""
    return {word.strip() for tag in tags for word in redact_name(tag).split(TAG_SEPARATOR)} - {""}


@cache
def watch_tasks() -> None:
    """Have tasks run under the tags that Locust's `@tag` gave them; calling it again is fine."""
    TaskSet.execute_next_task = _with_tags(TaskSet.execute_next_task)  # type: ignore[method-assign]


def _with_tags(execute_next_task: Callable[[TaskSet], None]) -> Callable[[TaskSet], None]:
    @wraps(execute_next_task)
    def execute_tagged(self: TaskSet) -> None:
        tags = getattr(self._task_queue[0], "locust_tag_set", None)
        if not tags:
            execute_next_task(self)
            return
        with tagged(tags):
            execute_next_task(self)

    return execute_tagged
