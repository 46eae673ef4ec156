"""intervals.arrow of real Locust processes agrees with Locust's own totals to the last request."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from tests.fix_runs import Runner, until
from tests.fix_service import Service
from tests.processes import finish, two_workers

LIMITS = "thresholds:\n  - p95 of shop.home < 20 ms\n  - p99 of shop.home <= 1 s\n  - error_rate < 50%\n"
OWN_CLIENT = """
from locust import HttpUser, User, constant, task
from telemetry.switch import record_run

class Sensor(User):
    wait_time = constant(0.05)

    @task
    def read(self):
        fire, lost = self.environment.events.request.fire, OSError("no answer")
        fire(request_type="UDP", name="read", response_time=None, response_length=0)
        fire(request_type="UDP", name="lost", response_time=1.5, response_length=8, exception=lost)
        fire(request_type="UDP", name="broken", response_time=1.5, response_length="many")

class Browser(HttpUser):
    wait_time = constant(0.05)

    @task
    def home(self):
        self.client.get("/home?token=s3cret")

record_run()
"""

RAMP_DOWN = """
from locust import LoadTestShape

class Shrinking(LoadTestShape):
    def tick(self):
        elapsed_s = self.get_run_time()
        return ((4, 4) if elapsed_s < 2 else (1, 4)) if elapsed_s < 5 else None
"""

SLOW_START = """
import gevent
from locust.runners import WorkerRunner

connect = WorkerRunner.connect_to_master

def connect_and_be_slow(self):
    connect(self)
    gevent.sleep(3)  # Locust's master looks for workers once a second

WorkerRunner.connect_to_master = connect_and_be_slow
"""


@pytest.fixture(params=["single", "workers"])
def processes(request: pytest.FixtureRequest) -> list[str]:
    """Return the options of a run in one process, then of one with two workers."""
    return two_workers() if request.param == "workers" else []


def rows(directory: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's intervals, up to where the file was cut off."""
    return [row for batch in batches(directory / "intervals.arrow") for row in batch.to_pylist()]


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the whole batches of a file, none of one that is still to be written."""
    with suppress(StopIteration, OSError, pa.ArrowInvalid), pa.input_stream(path, compression="zstd") as file:
        reader = pa.ipc.open_stream(file)
        while True:
            yield reader.read_next_batch()


def totals(directory: Path) -> dict[str, list[int]]:
    """Return requests, failures and bytes by name."""
    found: dict[str, list[int]] = {}
    for row in rows(directory):
        total = found.setdefault(row["name"], [0, 0, 0])
        for position, column in enumerate(("n", "failures", "bytes")):
            total[position] += row[column]
    return {name: total for name, total in found.items() if any(total)}


def locust_totals(path: Path) -> dict[str, list[int]]:
    """Return the same from Locust's own final figures."""
    return {
        entry["name"]: [entry["num_requests"], entry["num_failures"], entry["total_content_length"]]
        for entry in json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    }


def test_totals(run: Runner, service: Service, tmp_path: Path, processes: list[str]) -> None:
    """By name, the sums over all seconds and workers are Locust's own totals; run.json says the same."""
    finals = tmp_path / "finals"
    ended = run("-t", "6s", "-H", service.url, "--json-file", str(finals), *processes, thresholds=LIMITS)
    facts, found = ended.read("run.json"), rows(ended.directory)

    assert totals(ended.directory) == locust_totals(finals), ended.output
    assert facts["locust_totals"]["requests"] == sum(row["n"] for row in found) > 100
    assert facts["recording_errors"] == 0
    assert sorted({row["worker"] for row in found}) == (facts["workers"] or ["local"])
    assert all(abs(offset_s) < 0.5 for offset_s in facts["clock_offsets_s"].values())
    assert_counts_agree(found)


def test_workers_that_are_slow_to_listen(run: Runner, service: Service, tmp_path: Path) -> None:
    """Workers that are told to spawn users while they still start record all of the run."""
    source = run.locustfile.read_text(encoding="utf-8")
    run.locustfile.write_text(source + SLOW_START, encoding="utf-8")
    finals = tmp_path / "finals"
    ended = run("-t", "5s", "-H", service.url, "--json-file", str(finals), *two_workers(), thresholds=LIMITS)
    facts = ended.read("run.json")

    assert totals(ended.directory) == locust_totals(finals), ended.output
    assert facts["lost_workers"] == []
    assert {row["worker"] for row in rows(ended.directory)} == set(facts["workers"])


def assert_counts_agree(found: list[dict[str, Any]]) -> None:
    """The parts of each row add up, over the two limits of LIMITS too."""
    for row in found:
        assert sum(row["counts"]) == row["n"] - row["failures"]
        assert sum(row["failed_counts"]) == sum(row["failure_counts"]) == row["failures"]
        assert len(row["over_limit"]) == 2
        assert row["ended_s"] >= row["started_s"]
    assert {row["user_class"] for row in found} == {"Visitor"}


def test_any_user(run: Runner, service: Service) -> None:
    """Users of any kind are recorded; what their events tell wrongly is counted and breaks nothing."""
    run.locustfile.write_text(OWN_CLIENT, encoding="utf-8")
    ended = run("-t", "4s", "-H", service.url, thresholds=None)
    found, by_class = rows(ended.directory), Counter[str]()
    for row in found:
        by_class[f"{row['user_class']} {row['request_type']} {row['name']}"] += row["n"]

    assert set(by_class) == {"Sensor UDP read", "Sensor UDP lost", "Browser GET /home?token=***"}
    assert by_class["Sensor UDP read"] == by_class["Sensor UDP lost"] > 10
    assert {kind for row in found for kind in row["failure_kinds"]} == {"OSError: no answer"}
    assert ended.read("run.json")["recording_errors"] > 10
    assert ended.status == 77, ended.output


def test_cut_off(run: Runner, silent_url: str, processes: list[str]) -> None:
    """Requests still waiting when the run ends are there with their age, over each limit they outlived."""
    ended = run("-t", "3s", "-H", silent_url, *processes, thresholds=LIMITS)
    found = rows(ended.directory)

    assert sum(row["unfinished"] for row in found) == 4, ended.output
    assert sum(row["n"] for row in found) == 0
    assert sum(row["unfinished_over_limit"][0] for row in found) == 4
    assert all(row["ended_s"] - row["started_s"] >= 1 for row in found)
    assert {row["user_class"] for row in found} == {"Visitor"}
    assert any(float(row["in_flight"]) > 0 for row in ended.rows("health.csv"))


def test_ramp_down(run: Runner, silent_url: str) -> None:
    """Users that are stopped on the way down leave their slow requests behind, not out."""
    with run.locustfile.open("a", encoding="utf-8") as locustfile:
        locustfile.write(RAMP_DOWN)
    ended = run("-H", silent_url, thresholds=None)
    found = rows(ended.directory)
    last_s = max(row["ended_s"] for row in found)

    assert sum(row["unfinished"] for row in found) == 4, ended.output
    assert sum(row["unfinished"] for row in found if row["ended_s"] < last_s) == 3


def test_killed(run: Runner, service: Service) -> None:
    """After kill -9 all but the last seconds are there."""
    process, directory = run.start("-t", "60s", "-H", service.url, thresholds=None)
    until(lambda: len(rows(directory)) > 3)
    process.kill()
    finish(process)

    assert sum(row["n"] for row in rows(directory)) > 50


def test_worker_told_to_end(run: Runner, service: Service, tmp_path: Path) -> None:
    """A worker that ends on a signal sends its last samples first."""
    finals = tmp_path / "finals"
    process, directory = run.start(
        "-t", "8s", "-H", service.url, "--json-file", str(finals), *two_workers(), thresholds=None
    )
    until(lambda: len(rows(directory)) > 3)
    workers = psutil.Process(process.pid).children()
    workers[0].send_signal(signal.SIGTERM)
    output = finish(process)

    assert totals(directory) == locust_totals(finals), output
    assert json.loads((directory / "run.json").read_text(encoding="utf-8"))["locust_totals"]["requests"] > 100
