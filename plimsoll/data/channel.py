"""How the rows of feeders get from the master, or the single process, to the users of all processes."""

from __future__ import annotations

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import MasterRunner, Runner, WorkerRunner

import json
import logging
from functools import cache
from itertools import count
from typing import Any

from plimsoll.data.feeder import PROCESS, Block, exhausted
from plimsoll.data.sources import FeedError

logger = logging.getLogger("plimsoll")

DEFAULT_SEED = 1
ASK_MESSAGE = "plimsoll_ask_rows"
ROWS_MESSAGE = "plimsoll_rows"
EXHAUSTED_MESSAGE = "plimsoll_rows_exhausted"


class LocalChannel:
    """The channel of the process that allocates the rows itself: the only one, or the master."""

    def __init__(self, runner: Runner | None = None) -> None:
        self._runner = runner
        self._exhausted: set[str] = set()
        if not isinstance(runner, MasterRunner):
            return

        def on_ask(msg: Message, **_: Any) -> None:
            key = msg.data["feeder"]
            answer = {"feeder": key, "ask": msg.data["ask"], "rows": "[]", "is_last": False, "fault": None}
            if key in PROCESS.feeders:
                block = PROCESS.feeders[key].allocator.allocate(msg.data["wanted"], runner.worker_count)
                # As text, since JSON holds more than Locust's messages do.
                answer |= {"rows": json.dumps(block.rows), "is_last": block.is_last}
            else:
                answer["fault"] = f"{key}: the master has no such feeder; it needs its workers' locustfiles"
            runner.send_message(ROWS_MESSAGE, answer, msg.node_id)

        runner.register_message(ASK_MESSAGE, on_ask)
        runner.register_message(EXHAUSTED_MESSAGE, lambda msg, **_: self.report_exhausted(msg.data["feeder"]))

    def begin(self, seed: str) -> None:
        """Allocate every row from the start."""
        self._exhausted.clear()
        for key, feeder in PROCESS.feeders.items():
            feeder.allocator.begin(f"{seed} {key}")

    def ask(self, key: str, wanted: int) -> None:
        """Allocate at once."""
        feeder = PROCESS.feeders[key]
        feeder.take(feeder.allocator.allocate(wanted, processes=1))

    def report_exhausted(self, key: str) -> None:
        """Log it once, and count it as an exception of the users, which keeps the run from passing."""
        if key in self._exhausted:
            return
        self._exhausted.add(key)
        logger.warning("%s", exhausted(key))
        if self._runner:
            self._runner.log_exception("feeder", exhausted(key), formatted_tb=key)


class MasterChannel:
    """The channel from a worker to its master and back."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._numbers = count()
        self._open: set[int] = set()

        def on_rows(msg: Message, **_: Any) -> None:
            if msg.data["ask"] not in self._open:
                return
            self._open.remove(msg.data["ask"])
            feeder = PROCESS.feeders[msg.data["feeder"]]
            if msg.data["fault"]:
                feeder.refuse(msg.data["fault"])
            else:
                feeder.take(Block(json.loads(msg.data["rows"]), msg.data["is_last"]))

        runner.register_message(ROWS_MESSAGE, on_rows)

    def ask(self, key: str, wanted: int) -> None:
        """Ask the master."""
        number = next(self._numbers)
        self._open.add(number)
        try:
            self._runner.send_message(ASK_MESSAGE, {"feeder": key, "ask": number, "wanted": wanted})
        except RPCError:  # Locust itself says so and connects again; the feeder will ask again
            self._open.discard(number)

    def begin(self, seed: str) -> None:  # noqa: ARG002 - the master allocates
        """Take no answer to what was asked so far: it belongs to the run before."""
        self._open.clear()

    def report_exhausted(self, key: str) -> None:
        """Report it to the master."""
        self._runner.send_message(EXHAUSTED_MESSAGE, {"feeder": key})


def open_feeders(environment: Environment, *, are_fixed: bool) -> None:
    """Read the rows of all feeders whose rows are there from the first on, or of those that come later.

    Raises:
        FeedError: some cannot be read; the text names every fault of all of them.
    """
    faults = []
    for key, feeder in PROCESS.feeders.items():
        try:
            if feeder.allocator.source.is_fixed == are_fixed:
                feeder.allocator.open(f"{seed_of(environment)} {key}")
        except FeedError as error:
            faults.append(str(error))
    if faults:
        raise FeedError("\n".join(faults))


def seed_of(environment: Environment) -> str:
    """Return what decides everything that is drawn in a run."""
    return str(getattr(environment.parsed_options, "seed", DEFAULT_SEED))


def _on_test_start(environment: Environment, **_: Any) -> None:
    for feeder in PROCESS.feeders.values():
        feeder.begin()
    assert PROCESS.channel is not None  # since init
    PROCESS.channel.begin(seed_of(environment))


def _on_init(runner: Runner | None, **_: Any) -> None:
    PROCESS.channel = MasterChannel(runner) if isinstance(runner, WorkerRunner) else LocalChannel(runner)


def add_seed_option(parser: LocustArgumentParser) -> None:
    """Add --seed to Locust's own options."""
    parser.add_argument(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        metavar="<number>",
        env_var="PLIMSOLL_SEED",
        help="What random feeders draw by, and which test users a load is given. Defaults to 1.",
    )


@cache
def _await_init() -> None:
    # Where no run is recorded, a worker may have users before it knows that it is one.
    PROCESS.channel = None


PROCESS.channel = LocalChannel()
events.init_command_line_parser.add_listener(lambda **_: _await_init())
events.init_command_line_parser.add_listener(add_seed_option)
events.init.add_listener(_on_init)
events.test_start.add_listener(_on_test_start)
