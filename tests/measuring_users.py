"""A locustfile whose users measure one of everything, and write down what they told, process by process.

MEASURED names the folder that gets a JSON file of each process.
"""

from __future__ import annotations

import gevent
from locust import HttpUser, constant, events, tag, task
from locust.runners import MasterRunner

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from plimsoll import record_run
from plimsoll.users.measuring import Measuring

THINK_S = 0.05
truth: Counter[str] = Counter()


class Visitor(Measuring, HttpUser):
    """Looks at a page that is there and at one that is broken."""

    wait_time = constant(0.02)
    request_names = frozenset({"shop.home", "shop.broken"})
    metric_names = frozenset({"bytes", "cache", "pool.size", "page.*", "small answer"})
    transaction_names = frozenset({"visit", "visit/again", "stumble"})
    tag_names = frozenset({"slow"})

    @tag("content")
    @task(4)
    def look(self) -> None:
        """Look at a page, twice, and think in between."""
        with self.transaction("visit"):
            self.ask("/home", "shop.home")
            gevent.sleep(THINK_S)
            with self.transaction("again"), self.tagged("slow"):
                self.ask("/home", "shop.home")
                truth["tag:slow"] += 1
            truth["visit/again"] += 1
        truth["visit"] += 1

    @task
    def stumble(self) -> None:
        """Look at what is broken."""
        with self.transaction("stumble"):
            self.ask("/broken", "shop.broken")
        truth["stumble"] += 1

    def ask(self, path: str, name: str) -> None:
        """Send a request and measure its answer."""
        answer = self.client.get(path, name=name)
        size, number = len(answer.content), truth["requests"]
        truth["requests"] += 1
        self.count("bytes", size)
        truth["bytes"] += size
        self.rate("cache", number % 4)
        truth["cache"] += number % 4 > 0
        truth["small answer"] += self.check("small answer", number % 5)
        self.gauge("pool.size", number % 7)
        self.observe("page.cls", 0.01 * (number % 11))


def write_truth(environment: Any, **_: Any) -> None:
    """Write down what the users of this process told."""
    if not isinstance(environment.runner, MasterRunner):
        folder = Path(os.environ["MEASURED"])
        (folder / f"{os.getpid()}.json").write_text(json.dumps(truth), encoding="utf-8")


events.test_stop.add_listener(write_truth)  # type: ignore[no-untyped-call] # Locust's events carry no types
record_run()
