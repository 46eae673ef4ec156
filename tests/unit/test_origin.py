"""What a user makes bears the tags it was made under, and there are not too many of them."""

import gevent
from locust import TaskSet, User, tag, task
from locust.env import Environment
from locust.user.task import DefaultTaskSet

from collections.abc import Iterator
from typing import Any, cast

import pytest

from plimsoll.recording import origin
from plimsoll.recording.origin import TOO_MANY, combined, current_origin, iterations_of, tagged, tags_of_tasks


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any combination, of which two fit."""
    monkeypatch.setattr(origin, "_combinations", {frozenset[str](): ""})
    monkeypatch.setattr(origin, "MAX_COMBINATIONS", 2)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have tasks run under their tags, in this test only."""
    monkeypatch.setattr(TaskSet, "execute_next_task", TaskSet.execute_next_task)
    origin.watch_tasks.cache_clear()
    origin.watch_tasks()
    yield
    origin.watch_tasks.cache_clear()


def tags_within(*tags: str) -> str:
    """Return the tags of a greenlet of its own, within a block with these tags."""

    def look() -> str:
        with tagged(tags):
            return current_origin().tags

    return cast("str", gevent.spawn(look).get())


def test_tags_add_up() -> None:
    """A block adds its tags to those around it, in whatever order, and takes them away again."""
    seen = []

    def look() -> None:
        with tagged(["slow"]):
            with tagged(["content", "slow"]):
                seen.append(current_origin().tags)
            seen.append(current_origin().tags)
        seen.append(current_origin().tags)

    gevent.spawn(look).join()

    assert seen == ["content,slow", "slow", ""]


def test_a_comma_separates() -> None:
    """A tag with a comma is several tags, as commas separate them in the file."""
    assert tags_within("b, a") == "a,b"


def test_secrets_are_masked() -> None:
    """A tag goes into files, where no secret may be."""
    assert "hunter2" not in tags_within("password=hunter2")


def test_too_many_combinations() -> None:
    """From the third of two combinations on tags are one text; those known before stay."""
    assert [tags_within(each) for each in ("a", "b", "c", "d", "a")] == ["a", "b", TOO_MANY, TOO_MANY, "a"]


def test_same_tags_are_one_combination() -> None:
    """The order in which tags are told makes no other combination."""
    assert combined(frozenset({"a", "b"})) == combined(frozenset({"b", "a"})) == "a,b"


@pytest.mark.usefixtures("watched")
def test_tags_of_tasks() -> None:
    """A task of a user or of a TaskSet runs under the tags of Locust's own @tag, and no other does."""
    seen: list[tuple[str, str, str]] = []

    def note(what: str) -> None:
        seen.append((what, current_origin().user_class, current_origin().tags))

    class Steps(TaskSet):
        @tag("steps")
        @task
        def step(self) -> None:
            note("step")

    class Visitor(User):
        @tag("content", "slow")
        @task
        def read(self) -> None:
            note("read")

        @task
        def leave(self) -> None:
            note("leave")

    visitor = Visitor(Environment())
    run_tasks(DefaultTaskSet(visitor), visitor, Visitor.read, Visitor.leave)
    run_tasks(Steps(visitor), visitor, *Steps.tasks)

    assert seen == [
        ("read", "Visitor", "content,slow"),
        ("leave", "Visitor", ""),
        ("step", "Visitor", "steps"),
    ]


def test_tags_and_iterations_are_known() -> None:
    """Before a run the tags and names of all tasks are known as they are recorded, also within TaskSets."""

    class Steps(TaskSet):
        @tag("inner", "a,b")
        @task
        def step(self) -> None:
            """Do nothing."""

    class Visitor(User):
        tasks = [Steps]  # noqa: RUF012 - Locust's name

        @tag("content")
        @task
        def read(self) -> None:
            """Do nothing."""

    Steps.tasks.append(Steps)  # a TaskSet may lead back to itself

    assert tags_of_tasks([Visitor, Visitor]) == {"content", "inner", "a", "b"}
    assert iterations_of([Visitor]) == {"Visitor.read", "Visitor.step"}


def test_iterations_of_users_without_tasks_are_not_known() -> None:
    """Tasks that a user is only given when it is made may have any name, also those of a TaskSet of its."""

    class Bare(User):
        pass

    class Later(TaskSet):
        pass

    class Nested(User):
        tasks = [Later]  # noqa: RUF012 - Locust's name

    assert iterations_of([Bare, Nested]) == {"Bare.*", "Nested.*"}


def run_tasks(task_set: Any, user: User, *tasks: Any) -> None:
    """Execute tasks of a user in the greenlet that Locust would give it."""

    def run(_: User) -> None:
        for each in tasks:
            task_set._task_queue.append(each)
            task_set.execute_next_task()

    gevent.spawn(run, user).get()
