"""The verdict's percentiles beside those of the raw samples, and beside what the server itself saw."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from measured.delay_server import DelayServer, served_ms
from measured.measurement import Row, at_least, beside, near
from plimsoll.run_files.files import VERDICT_FILE
from tests.fix_runs import Runner
from tests.processes import two_workers

PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
# Some 85 ms of answer and 115 ms of thought are five requests a second of each user. At a fixed pace all
# users would send at once, and their wait for each other in one process is nothing that the server sees.
USERS, RATE_PER_USER, DURATION_S = 100, 5, 30
LOCUSTFILE = """
import os
from array import array
from locust import between, events, task
from plimsoll.users.http import LeanHttpUser
from plimsoll import record_run

raw_ms = array("d")

class Client(LeanHttpUser):
    wait_time = between(0.03, 0.2)

    @task
    def get(self):
        self.client.get("/", name="get")

@events.request.add_listener
def keep(response_time, exception=None, **_):
    if exception is None:
        raw_ms.append(response_time)

@events.quitting.add_listener
def save(**_):
    with open(f"{folder}/{{os.getpid()}}.raw", "wb") as file:
        raw_ms.tofile(file)

record_run()
"""


def measure(folder: Path) -> list[Row]:
    """Measure in one process, and on two workers."""
    return [
        *_percentiles(folder / "one", "one process", []),
        *_percentiles(folder / "two", "two workers", two_workers()),
    ]


def _percentiles(folder: Path, where: str, distributed: list[str]) -> list[Row]:
    folder.mkdir()
    locustfile = folder / "client.py"
    locustfile.write_text(LOCUSTFILE.format(folder=folder), encoding="utf-8")
    load = ["-u", str(USERS), "-r", str(USERS), "-t", f"{DURATION_S}s"]
    record = folder / "served.npy"
    with closing(DelayServer("drawn", str(record))) as server:
        run = Runner(locustfile, folder)("-H", server.url, *load, *distributed, thresholds=None)
        server.end()
    (figures,) = run.read(VERDICT_FILE)["requests"]
    raw_ms = np.concatenate([np.fromfile(path) for path in folder.glob("*.raw")])
    rows = [
        near(f"{where}: requests judged, of raw samples", figures["n"], len(raw_ms)),
        at_least(f"{where}: requests", figures["n"], 0.9 * DURATION_S * USERS * RATE_PER_USER),
    ]
    for name, q in PERCENTILES.items():
        judged, raw, served = figures[name], _nearest_rank(raw_ms, q), _nearest_rank(served_ms(record), q)
        rows.append(near(f"{where}: {name}, beside the raw samples", judged, raw, "ms", tolerance=0.004))
        rows.append(
            near(f"{where}: {name}, beside the server", judged, served, "ms", tolerance=0.02, slack=1)
        )
        if (by_locust := figures.get(f"locust_{name}")) is not None:
            rows.append(
                beside(f"{where}: {name} of Locust itself, beside the raw samples", by_locust, raw, "ms")
            )
    return rows


def _nearest_rank(values: NDArray[np.float64], q: float) -> float:
    """Return the smallest value that at least the share q of all values does not exceed."""
    return float(np.sort(values)[int(np.ceil(q * len(values))) - 1])
