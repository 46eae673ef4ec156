"""What is set up once per run, before its load, and cleaned up after it: by the master, not by workers."""

from __future__ import annotations

import gevent
from gevent.event import Event
from locust import events
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import MasterRunner, Runner, WorkerRunner

import inspect
import json
import logging
import math
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Generic, TypeVar

from plimsoll.context import execution_of
from plimsoll.data.sources import FeedError
from plimsoll.redact import redact
from plimsoll.run_files.files import Invariant

logger = logging.getLogger("plimsoll")

RESULTS_MESSAGE = "plimsoll_set_up_results"
RESULTS_WANTED_MESSAGE = "plimsoll_set_up_results_wanted"
RESULTS_LIMIT_S = 10.0
# An answer that does not come was lost with its connection.
ANSWER_LIMIT_S = 3.0

ResultT = TypeVar("ResultT")
Steps = Callable[[Environment], Generator[ResultT, None, None]]
Ask = Callable[[Environment], str]


class SetUpError(RuntimeError):
    """A set-up that failed; the text says which, and why."""


class SetUp(Generic[ResultT]):
    """A function that sets up, yields what the users need to know, and cleans up.

    Raises:
        TypeError: at construction, when the function has no yield.
    """

    def __init__(self, steps: Steps[ResultT], limit_s: float) -> None:
        if not inspect.isgeneratorfunction(steps):
            raise TypeError(f"set-up {steps.__name__!r} must yield once, between set-up and clean-up")
        self.name = f"{steps.__module__}.{steps.__name__}"
        self.steps, self.limit_s = steps, limit_s
        self.invariants: dict[str, Ask] = {}

    def invariant(self, name: str) -> Callable[[Ask], Ask]:
        """Have a function say what is wrong after the load, "" for nothing: a run with anything wrong FAILs.

        It is asked once, by the master, when the users have stopped and before the clean-up, within limit_s.
        """

        def declare(ask: Ask) -> Ask:
            self.invariants[name] = ask
            return ask

        return declare

    @property
    def result(self) -> ResultT:
        """What was yielded, in every process, as JSON holds it (a tuple becomes a list).

        Raises:
            SetUpError: nothing was set up in this run.
        """
        _RESULTS.come()
        if self.name not in _RESULTS.by_name:
            raise SetUpError(f"set-up {self.name!r} has not run")
        result: ResultT = _RESULTS.by_name[self.name]
        return result


def set_up(limit_s: float) -> Callable[[Steps[ResultT]], SetUp[ResultT]]:
    """Have a function set up each run of its locustfile, in so many seconds, and clean up in as many.

    What comes after its yield is done when the users have stopped, however the run ends. With try and finally
    around the yield, it is also done when the set-up itself fails or takes too long.
    """

    def declare(steps: Steps[ResultT]) -> SetUp[ResultT]:
        declared = SetUp(steps, limit_s)
        DECLARED[declared.name] = declared
        return declared

    return declare


class _Results:
    """What the set-ups of a run have yielded, by their names; a worker asks its master when it is wanted."""

    def __init__(self) -> None:
        self.by_name: dict[str, Any] = {}
        self._worker: WorkerRunner | None = None
        self._have_come = Event()
        self._have_come.set()
        self._asked_s = -math.inf

    def follow(self, worker: WorkerRunner) -> None:
        """Have them come from the master of this worker, anew for each run."""
        self._worker = worker
        self._have_come.clear()  # a worker that joins a load may have begun it already

        def on_results(msg: Message, **_: Any) -> None:
            self.by_name, self._asked_s = json.loads(msg.data["results"]), -math.inf
            self._have_come.set()

        def on_test_start(**_: Any) -> None:
            self._have_come.clear()
            self.by_name.clear()  # what the run before has set up is cleaned up

        worker.register_message(RESULTS_MESSAGE, on_results)
        worker.environment.events.test_start.add_listener(on_test_start)

    def come(self) -> None:
        """Wait for them, for RESULTS_LIMIT_S at most."""
        give_up_s = monotonic() + RESULTS_LIMIT_S
        while self._worker and not self._have_come.is_set() and monotonic() < give_up_s:
            if monotonic() > self._asked_s + ANSWER_LIMIT_S:
                self._asked_s = monotonic()
                with suppress(RPCError):  # Locust itself says so and connects again; this will ask again
                    self._worker.send_message(RESULTS_WANTED_MESSAGE)
            self._have_come.wait(ANSWER_LIMIT_S)


# By name, since Locust may load the same locustfile twice.
DECLARED: dict[str, SetUp[Any]] = {}
_RESULTS = _Results()


class SetUps:
    """The set-ups of the runs of one master or single process."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        self._environment = environment
        self._begun: list[tuple[SetUp[Any], Generator[Any, None, None]]] = []
        if isinstance(runner, MasterRunner):

            def on_wanted(msg: Message, **_: Any) -> None:
                runner.send_message(RESULTS_MESSAGE, {"results": json.dumps(_RESULTS.by_name)}, msg.node_id)

            runner.register_message(RESULTS_WANTED_MESSAGE, on_wanted)

    @property
    def are_open(self) -> bool:
        """Whether there is anything to clean up."""
        return bool(self._begun)

    def begin(self) -> None:
        """Run all set-ups, one after the other in the order of their declaration.

        Raises:
            SetUpError, FeedError: one of them failed; those that have begun must still be ended.
        """
        _RESULTS.by_name.clear()
        execution_of(self._environment).invariants = [
            Invariant(invariant) for declared in DECLARED.values() for invariant in declared.invariants
        ]
        for name, declared in DECLARED.items():
            steps = declared.steps(self._environment)
            self._begun.append((declared, steps))
            try:
                result = _run_within(declared.limit_s, partial(next, steps))
                _RESULTS.by_name[name] = json.loads(json.dumps(result))
            except SetUpError as error:
                if isinstance(error.__cause__, FeedError):  # the user's file is at fault
                    raise error.__cause__ from None
                raise SetUpError(f"set-up {name!r} failed: {error}") from None
            except (TypeError, ValueError) as error:
                raise SetUpError(f"set-up {name!r} yielded what JSON cannot hold: {error}") from None

    def end(self) -> None:
        """Ask for all invariants and run all clean-ups, the last set-up's first; say which of them fail."""
        for declared, _ in self._begun:
            if declared.name in _RESULTS.by_name:  # it was set up
                self._verify(declared)
        while self._begun:
            declared, steps = self._begun.pop()
            try:
                _run_within(declared.limit_s, partial(_finish, steps))
            except SetUpError as error:
                logger.error("clean-up of %r failed: %s", declared.name, error)  # noqa: TRY400 - no traceback

    def _verify(self, declared: SetUp[Any]) -> None:
        """Note which invariants of a set-up hold, and why one was not verified."""
        found = execution_of(self._environment).invariants
        for name, ask in declared.invariants.items():
            try:
                wrong = redact(_run_within(declared.limit_s, partial(ask, self._environment)))
                answer = Invariant(name, not wrong, wrong)
            except SetUpError as error:
                answer = Invariant(name, None, str(error))
            found[found.index(Invariant(name))] = answer
            if not answer.holds:
                what = "does not hold" if answer.holds is False else "was not verified"
                logger.error("the invariant %r %s: %s", name, what, answer.text)


def _run_within(limit_s: float, step: Callable[[], ResultT]) -> ResultT:
    """Return what a step returns.

    Raises:
        SetUpError: it failed, or took longer than *limit_s*.
    """
    limit = gevent.Timeout(limit_s)
    try:
        with limit:
            return step()
    except gevent.Timeout as timeout:
        if timeout is not limit:
            raise
        raise SetUpError(f"it takes longer than {limit_s:g} s, the limit_s of its @set_up") from None
    except Exception as error:
        logger.debug("set-up or clean-up failed", exc_info=True)
        # A fault of the user's code: it goes to the terminal, and to whom the web UI answers.
        raise SetUpError(redact(f"{type(error).__name__}: {error}")) from error


def _finish(steps: Generator[Any, None, None]) -> None:
    """Go on after the yield; one that has failed before it has nothing left to do."""
    for _ in steps:
        steps.close()
        raise RuntimeError("it yields more than once")


def _on_init(runner: Runner | None, **_: Any) -> None:
    if isinstance(runner, WorkerRunner):
        _RESULTS.follow(runner)


events.init.add_listener(_on_init)
