"""Set-up and clean-up of a run: in order and in reverse, within their time, whatever fails."""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.exception import RPCError

import json
import sys
from collections.abc import Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll.context import execution_of
from plimsoll.data.preparation import Preparation
from plimsoll.data.set_up import DECLARED, SetUp, SetUpError, set_up
from plimsoll.data.sources import CsvFile, FeedError
from plimsoll.run_files.files import Invariant
from tests.virtual_time import virtual_time

Steps = Callable[[Environment], Generator[Any, None, None]]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Let time be virtual to the limits of set-ups."""
    with virtual_time():
        yield


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """Keep the set-ups of a test to itself."""
    before = dict(DECLARED)
    DECLARED.clear()
    yield
    DECLARED.clear()
    DECLARED.update(before)


@pytest.fixture
def preparation() -> Preparation:
    """Return the preparation of a single process."""
    environment = Environment()
    return Preparation(environment, environment.create_local_runner())


def noted(name: str, notes: list[str]) -> SetUp[str]:
    """Declare a set-up that notes what it does."""

    def steps(environment: Environment) -> Generator[str, None, None]:  # noqa: ARG001 - as the suite calls it
        notes.append(f"{name} up")
        yield name
        notes.append(f"{name} down")

    steps.__name__ = name
    return set_up(limit_s=1)(steps)


def test_the_last_set_up_is_cleaned_up_first(preparation: Preparation) -> None:
    """Set-ups run in the order of their declaration, clean-ups in reverse, and each only once."""
    notes: list[str] = []
    first, second = noted("first", notes), noted("second", notes)
    preparation.begin()
    preparation.begin()
    assert (first.result, second.result) == ("first", "second")
    preparation.end()
    preparation.end()

    assert notes == ["first up", "second up", "second down", "first down"]


def test_a_second_run_is_set_up_again(preparation: Preparation) -> None:
    """In the web UI each run has its own."""
    notes: list[str] = []
    noted("accounts", notes)
    for _ in range(2):
        preparation.begin()
        preparation.end()

    assert notes == ["accounts up", "accounts down"] * 2


def test_a_set_up_that_fails_half_way(preparation: Preparation) -> None:
    """What was set up before is cleaned up, as is what a finally guards; what follows is not begun."""
    notes: list[str] = []
    noted("first", notes)

    @set_up(limit_s=1)
    def accounts(environment: Environment) -> Generator[None, None, None]:  # noqa: ARG001 - as the suite calls it
        try:
            int("no number")
            yield
        finally:
            notes.append("guarded")

    noted("last", notes)
    with pytest.raises(SetUpError, match=r"accounts' failed: ValueError: invalid literal"):
        preparation.begin()

    assert notes == ["first up", "guarded", "first down"]


@pytest.mark.parametrize(
    ("work", "error", "text"),
    [
        (
            lambda: int("postgresql://admin:s3cret@db.example/school"),
            SetUpError,
            r"base 10: 'postgresql://admin:\*\*\*@db.example/school",
        ),
        (CsvFile("/accounts.csv").read, FeedError, r"^csv /accounts\.csv: No such file or directory$"),
        (lambda: gevent.sleep(5), SetUpError, r"accounts' failed: it takes longer than 0\.05 s"),
    ],
    ids=["a secret is masked", "a wrong file is told as such", "one that takes too long is stopped"],
)
def test_a_set_up_that_fails_is_told(
    preparation: Preparation, work: Callable[[], object], error: type[Exception], text: str
) -> None:
    """The text, which is shown on the terminal and in the web UI, says why, without secrets."""

    @set_up(limit_s=0.05)
    def accounts(environment: Environment) -> Generator[Any, None, None]:  # noqa: ARG001 - as the suite calls it
        yield work()

    with pytest.raises(error, match=text):
        preparation.begin()


@pytest.mark.parametrize("fault", ["raises", "hangs", "yields twice"])
def test_a_clean_up_that_fails_leaves_the_others_be(
    preparation: Preparation, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """It is said by name, and the set-ups before it are cleaned up all the same."""
    notes: list[str] = []
    noted("first", notes)

    @set_up(limit_s=0.05)
    def broken(environment: Environment) -> Generator[None, None, None]:  # noqa: ARG001 - as the suite calls it
        yield
        if fault == "raises":
            raise OSError("gone")
        if fault == "hangs":
            gevent.sleep(5)
        yield

    preparation.begin()
    preparation.end()

    assert notes == ["first up", "first down"]
    assert "broken' failed" in caplog.text


def test_results_are_what_json_holds(preparation: Preparation) -> None:
    """Users get the same in one process and in many: a tuple is a list, and a set is refused."""

    @set_up(limit_s=1)
    def accounts(environment: Environment) -> Generator[Any, None, None]:  # noqa: ARG001 - as the suite calls it
        yield {"ids": (1, 2)}

    preparation.begin()
    assert accounts.result == {"ids": [1, 2]}
    preparation.end()

    @set_up(limit_s=1)
    def sets(environment: Environment) -> Generator[Any, None, None]:  # noqa: ARG001 - as the suite calls it
        yield {1, 2}

    with pytest.raises(SetUpError, match="sets' yielded what JSON cannot hold"):
        preparation.begin()


def test_a_result_without_a_run() -> None:
    """Whoever asks for what was never set up is told so."""
    with pytest.raises(SetUpError, match="unasked' has not run"):
        noted("unasked", []).result  # noqa: B018 - it raises


def test_a_worker_has_no_result_of_the_run_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the master does not answer in a second run, users fail, and do not use what is cleaned up."""
    module = sys.modules[SetUp.__module__]  # its name in the package is that of the decorator
    monkeypatch.setattr(module, "_RESULTS", module._Results())
    environment, handlers = Environment(), dict[str, Callable[..., None]]()
    worker: Any = SimpleNamespace(
        environment=environment, register_message=handlers.__setitem__, send_message=lambda _: None
    )
    module._RESULTS.follow(worker)
    accounts = noted("accounts", [])
    results = json.dumps({accounts.name: "of the first run"})
    handlers[module.RESULTS_MESSAGE](msg=SimpleNamespace(data={"results": results}))
    assert accounts.result == "of the first run"
    environment.events.test_start.fire(environment=environment)  # type: ignore[no-untyped-call] # Locust's own

    with pytest.raises(SetUpError, match="has not run"):
        _ = accounts.result


def test_a_worker_asks_again_for_results_when_the_connection_to_its_master_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message that cannot be sent is no failure of the user, who gets the results that come later."""
    module = sys.modules[SetUp.__module__]
    monkeypatch.setattr(module, "_RESULTS", module._Results())
    handlers = dict[str, Callable[..., None]]()
    accounts = noted("accounts", [])
    asked: list[str] = []

    def send_message(kind: str) -> None:
        asked.append(kind)
        if len(asked) == 1:
            raise RPCError("the connection is lost")
        results = json.dumps({accounts.name: "of the master"})
        handlers[module.RESULTS_MESSAGE](msg=SimpleNamespace(data={"results": results}))

    worker: Any = SimpleNamespace(
        environment=Environment(), register_message=handlers.__setitem__, send_message=send_message
    )
    module._RESULTS.follow(worker)

    assert accounts.result == "of the master"
    assert asked == [module.RESULTS_WANTED_MESSAGE] * 2


def test_a_set_up_without_a_yield_is_refused() -> None:
    """The text says what is expected, when the locustfile is loaded."""
    with pytest.raises(TypeError, match="set-up 'accounts' must yield once"):

        @set_up(limit_s=1)
        def accounts(environment: Environment) -> Any:
            """Do nothing."""


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda _: "", (True, "")),
        (lambda _: "19,990 of 20,000", (False, "19,990 of 20,000")),
        (lambda _: "of postgresql://a:s3cret@db/x", (False, "of postgresql://a:***@db/x")),
        (lambda _: str(1 // 0), (None, "ZeroDivisionError: integer division or modulo by zero")),
        (lambda _: gevent.sleep(5), (None, "it takes longer than 1 s, the limit_s of its @set_up")),
    ],
    ids=["holds", "does not hold", "a secret is masked", "cannot be asked", "takes too long"],
)
def test_an_invariant_is_asked_between_load_and_clean_up(
    preparation: Preparation, ask: Callable[[Environment], str], expected: tuple[bool | None, str]
) -> None:
    """Not verified before the load, it is asked once after it, while what was set up is still there."""
    notes: list[str] = []
    accounts = noted("accounts", notes)

    @accounts.invariant("money is conserved")
    def conserved(environment: Environment) -> str:
        notes.append("asked")
        return ask(environment)

    execution = execution_of(preparation._environment)
    preparation.begin()
    before = list(execution.invariants)
    preparation.end()

    assert before == [Invariant("money is conserved", None, "")]
    assert execution.invariants == [Invariant("money is conserved", *expected)]
    assert notes == ["accounts up", "asked", "accounts down"]


def test_no_invariant_of_a_set_up_that_failed_is_asked(preparation: Preparation) -> None:
    """There was no load, and what it would ask for may not be there."""
    notes: list[str] = []

    @set_up(limit_s=1)
    def accounts(environment: Environment) -> Generator[None, None, None]:  # noqa: ARG001 - as the suite calls it
        int("no number")
        yield

    @accounts.invariant("money is conserved")
    def conserved(environment: Environment) -> str:  # noqa: ARG001 - as the suite calls it
        notes.append("asked")
        return ""

    with pytest.raises(SetUpError):
        preparation.begin()

    assert notes == []
