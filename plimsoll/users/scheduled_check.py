"""Synthetic checks: scenarios on a schedule, from a named location, that end at their first failed step.

A failure names scenario, step, error and location, as a failed request and as a line of the log. Of each
scenario NAME, `NAME.available` is a rate: how often it went well, in time.
"""

from __future__ import annotations

from locust import events, task
from locust.argument_parser import LocustArgumentParser
from locust.exception import RescheduleTask

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, TypeVar

from plimsoll.users.answers import Answer, WrongAnswerError
from plimsoll.users.api import ApiUser

T = TypeVar("T")

logger = logging.getLogger("plimsoll")

DEFAULT_LOCATION = "local"


class ScheduledCheckUser(ApiUser):
    """One user that plays a scenario every *every_s* seconds, by --time-scale; it may take *limit_s*.

    The scenario is measured as a transaction of its name, its steps as parts of it.
    """

    abstract = True
    fixed_count = 1
    scenario: ClassVar[str]
    every_s: ClassVar[float]
    limit_s: ClassVar[float]

    _step = ""
    _reason = ""
    _next_s = 0.0

    @abstractmethod
    def play(self) -> None:
        """Take the steps, each a with-block of `step`."""

    @task
    def play_and_tell(self) -> None:
        """Play the scenario; when it fails, say so."""
        started_s = time.monotonic()
        time_scale = float(getattr(self.environment.parsed_options, "time_scale", 1.0))
        self._next_s = started_s + self.every_s * time_scale
        try:
            with self.transaction(self.scenario):
                self.play()
                if time.monotonic() - started_s > self.limit_s:
                    self._step, self._reason = "total", f"took over {self.limit_s:g} s"
                    raise WrongAnswerError(self._alert)  # noqa: TRY301 - as a step may raise
        except (RescheduleTask, WrongAnswerError):
            self.rate(f"{self.scenario}.available", hit=False)
            logger.error("%s", self._alert)  # noqa: TRY400 - the text says it all
        else:
            self.rate(f"{self.scenario}.available", hit=True)

    def wait_time(self) -> float:
        """Return the seconds until the scenario is due again."""
        return max(0.0, self._next_s - time.monotonic())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Hold a step, which failures within it name."""
        self._step = name
        with self.transaction(name):
            yield

    def failure_text(self, name: str, reason: str) -> str:  # noqa: ARG002 - the step says more than the name
        """Return scenario, location, step and error."""
        self._reason = reason
        return self._alert

    @property
    def _alert(self) -> str:
        location = str(getattr(self.environment.parsed_options, "location", DEFAULT_LOCATION))
        return f"{self.scenario} at {location!r} failed at step {self._step!r}: {self._reason}"


def within(limit_ms: float, read: Callable[[Answer], T]) -> Callable[[Answer], T]:
    """Return a reader of answers that also refuses one which took longer than *limit_ms*."""

    def check(answer: Answer) -> T:
        if answer.elapsed_ms > limit_ms:
            raise WrongAnswerError(f"took over {limit_ms:g} ms")
        return read(answer)

    return check


def add_location_option(parser: LocustArgumentParser) -> None:
    """Add --location to Locust's own options."""
    parser.add_argument(
        "--location",
        default=DEFAULT_LOCATION,
        metavar="<name>",
        env_var="PLIMSOLL_LOCATION",
        help="Where synthetic checks are made from, as their failures name it. Defaults to local.",
    )


events.init_command_line_parser.add_listener(add_location_option)
