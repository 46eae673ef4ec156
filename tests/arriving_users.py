"""A locustfile whose users write down by themselves when each iteration starts, whatever the suite counts.

ARRIVING_USERS holds a JSON object: `service_s` and, where the service stands still for a while, `freeze_s`
(from, to, in seconds since the first start of the process); `rate`, `duration_s`, `max_users` and `spacing`
of an arrival shape, or the `pacing_s` of users without one; `kinds`, whether there are users of every kind;
`leaves`, whether each of them visits once and is gone.
Each process leaves what it saw in a file of its own in the folder ARRIVING_RESULTS, and one that ends with
`.started` as soon as its first iteration starts.
"""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from locust import (
    FastHttpUser,
    HttpUser,
    SequentialTaskSet,
    TaskSet,
    User,
    constant,
    constant_pacing,
    events,
    runners,
    task,
)
from locust.env import Environment
from locust.exception import StopUser

import json
import os
import time
from pathlib import Path
from typing import Any

from plimsoll import ArrivalShape, RateStage
from plimsoll.context import current_context, execution_of

if "PATIENT" in os.environ:
    # A busy machine silences a worker for the four seconds after which Locust's master takes it for lost.
    runners.HEARTBEAT_LIVENESS = 60

SETTINGS: dict[str, Any] = {"kinds": False, "rate": 1, "duration_s": 1, "max_users": 1, "spacing": "even"}
SETTINGS |= json.loads(os.environ["ARRIVING_USERS"])

seen: dict[str, list[Any]] = {
    "starts": [],
    "kinds": [],
    "delays_ms": [],
    "users": [],
    "signed_in": [],
    "ends": [],
}


def result_file() -> Path:
    """Return the file of this process; a worker is forked after this module was loaded."""
    return Path(os.environ["ARRIVING_RESULTS"], f"{os.getpid()}.json")


class Recorded(User):
    """A user who notes when it starts what, and then takes as long as the service does."""

    abstract = True
    host = "http://127.0.0.1:1"
    wait_time = constant_pacing(SETTINGS["pacing_s"]) if "pacing_s" in SETTINGS else constant(60)

    def on_start(self) -> None:
        """Sign in, which takes a while."""
        gevent.sleep(0.2)
        seen["signed_in"].append(time.time())

    def serve(self) -> None:
        """Be served."""
        now_s = time.time()
        if not seen["starts"]:
            result_file().with_suffix(".started").touch()
        seen["starts"].append(now_s)
        seen["kinds"].append(type(self).__name__)
        seen["delays_ms"].append(current_context().consume_start_delay_ms())
        seen["users"].append(self.environment.runner.user_count if self.environment.runner else 0)
        from_s, to_s = SETTINGS.get("freeze_s", (0, 0))
        elapsed_s = now_s - seen["starts"][0]
        gevent.sleep(SETTINGS["service_s"] + (to_s - elapsed_s if from_s <= elapsed_s < to_s else 0))
        seen["ends"].append(time.time())


class Plain(Recorded):
    """A user of one task."""

    @task
    def visit(self) -> None:
        """Be served, and leave where that is wanted."""
        self.serve()
        if SETTINGS.get("leaves"):
            raise StopUser


class Fast(Recorded, FastHttpUser):
    """A user with Locust's fast client."""

    abstract = not SETTINGS["kinds"]

    @task
    def visit(self) -> None:
        """Be served."""
        self.serve()


class Http(Recorded, HttpUser):
    """A user with Locust's client of requests."""

    abstract = not SETTINGS["kinds"]

    @task
    def visit(self) -> None:
        """Be served, and fail at times as a journey does."""
        self.serve()
        if len(seen["starts"]) % 5 == 0:
            raise ValueError("on purpose")


class Steps(SequentialTaskSet):
    """Two steps in turn, each an iteration of its own."""

    @task
    def first(self) -> None:
        """Be served."""
        self.user.serve()  # type: ignore[attr-defined] # these users have it

    @task
    def last(self) -> None:
        """Be served, and go back to the tasks of the user."""
        self.user.serve()  # type: ignore[attr-defined] # these users have it
        self.interrupt()


class Nested(Recorded):
    """A user whose task is a set of tasks with a set of tasks in it."""

    abstract = not SETTINGS["kinds"]

    @task
    class Tasks(TaskSet):
        """Endless: nobody leaves it."""

        tasks = [Steps]  # noqa: RUF012 - as Locust has it


class ArrivingShape(ArrivalShape):
    """So many arrivals a second."""

    abstract = "pacing_s" in SETTINGS
    stages = (RateStage("hold", SETTINGS["duration_s"], SETTINGS["rate"], SETTINGS["rate"]),)
    max_users = SETTINGS["max_users"]
    spacing = SETTINGS["spacing"]


def write_result(environment: Environment, **_: Any) -> None:
    """Write down what this process saw and what the suite counted in it."""
    execution = execution_of(environment)
    counts = {"started": execution.started, "late": execution.late, "dropped": execution.dropped}
    assert environment.runner is not None
    errors = sorted({found["msg"] for found in environment.runner.exceptions.values()})
    result_file().write_text(json.dumps({**seen, **counts, "errors": errors}), encoding="utf-8")


events.test_stop.add_listener(write_result)
# Otherwise Locust's timer of the run time would count from before this file was loaded.
gevent.get_hub().loop.update_now()
