"""A limit with `abort` ends the load, and the run fails by it; whole runs under virtual time."""

from __future__ import annotations

import gevent

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fix_virtual_runs import GreenletService, VirtualRun, VirtualRunner
from tests.in_process import JUDGING_S, Live, run_locust
from tests.watchers import broken_after

LIMIT = "error_rate < 90%"
WATCHED = f"thresholds: ['{LIMIT}']"
THRESHOLDS = f"thresholds:\n  - {{expr: {LIMIT}, abort: true}}\n"
BROKEN_BATCHES, BROKEN_S = 5, 9
"""A batch comes every 2 s, the first after 1 s."""
WHY = f"aborted: {LIMIT}: measured 48 %"
ARRIVALS = """
from plimsoll import ArrivalShape, RateStage

class Arriving(ArrivalShape):
    max_users = 10
    stages = (RateStage("hold", 300, 10, 10),)
"""
SEARCH = """
from plimsoll import SearchShape

class Searching(SearchShape):
    first_rate, factor, max_rate, resolution = 10, 2, 40, 0.1
    step_s, rest_s, max_steps, max_users = 20, 5, 5, 10
"""
OWN = """
from locust import LoadTestShape

class Own(LoadTestShape):
    def tick(self):
        return (4, 4) if self.get_run_time() < 300 else None
"""


def assert_aborted(run: VirtualRun) -> None:
    """Require that the run was ended by its limit, and fails by it."""
    facts, verdict = run.read("run.json"), run.read("verdict.json")
    abort = facts["aborted_by"]

    assert run.status == 99, run.output
    assert (facts["end_reason"], facts["aborted"]) == (WHY, None)
    assert (abort["source"], abort["text"]) == (LIMIT, "measured 48 %")
    assert abort["at_s"] == pytest.approx(BROKEN_S, abs=2)
    assert verdict["verdict"] == "FAIL"
    assert verdict["run"]["aborted_by"] == abort
    assert verdict["reasons"][0]["subject"] == LIMIT
    assert verdict["thresholds"][0]["verdict"] == "FAIL"
    head, _, _ = (run.directory / "report.html").read_text(encoding="utf-8").partition("</header>")
    assert f"error_rate &lt; 90%: the load was aborted after {abort['at_s']:.3g} s: measured 48 %" in head
    assert f"aborted after {abort['at_s']:.3g} s by {LIMIT}" in run.output
    assert run.output.count("the load is aborted, and the run fails") == 1
    assert "Traceback" not in run.output


@pytest.mark.parametrize("shape", ["", OWN, ARRIVALS, SEARCH])
def test_a_broken_limit_ends_the_load(
    virtual_run: VirtualRunner, virtual_service: GreenletService, shape: str
) -> None:
    """Whatever plans the load, it ends when the limit is broken; the verdict is FAIL and says by what."""
    source = virtual_run.locustfile.read_text(encoding="utf-8")
    virtual_run.locustfile.write_text(source + shape, encoding="utf-8")
    run_time = [] if shape else ["-t", "300s"]
    look = broken_after(BROKEN_BATCHES, LIMIT)
    run = virtual_run("-H", virtual_service.url, *run_time, thresholds=THRESHOLDS, look=look)

    assert_aborted(run)
    assert run.elapsed_s == pytest.approx(BROKEN_S + JUDGING_S, abs=5)


def test_a_clean_run_comes_to_its_end(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """As long as no limit is broken nothing ends the load; the process that watched goes with it."""
    look = broken_after(20, LIMIT)
    run = virtual_run("-H", virtual_service.url, "-t", "38s", thresholds=THRESHOLDS, look=look)
    facts = run.read("run.json")

    assert run.status == 0, run.output
    assert (facts["end_reason"], facts["aborted_by"]) == ("run time reached", None)


def test_a_process_that_watches_and_dies(
    virtual_run: VirtualRunner, virtual_service: GreenletService
) -> None:
    """The run goes on to its verdict, and what is lost is said once."""

    def die(batches: int) -> dict[str, Any]:
        return {"limits": batches}  # as any line that cannot be read

    run = virtual_run("-H", virtual_service.url, "-t", "38s", thresholds=THRESHOLDS, look=die)

    assert run.status == 0, run.output
    assert run.output.count("limits are not watched any more") == 1
    assert run.output.count("none of them can abort the load any more") == 1


def test_limits_that_nobody_asks_for_are_not_watched(
    virtual_run: VirtualRunner, virtual_service: GreenletService
) -> None:
    """Without a limit that aborts and without a web UI nothing is spent on how limits stand meanwhile."""
    looks: list[int] = []
    run = virtual_run("-H", virtual_service.url, "-t", "38s", thresholds=WATCHED, look=looks.append)

    assert (run.status, looks) == (0, [])


def test_a_signal_comes_first(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """Ctrl-C ends a run whose limits are watched as any other; what breaks later aborts nothing."""

    def interrupt(live: Live) -> None:
        gevent.sleep(BROKEN_S - 0.1)
        live.send(signal.SIGINT)

    look = broken_after(BROKEN_BATCHES, LIMIT)
    run = virtual_run(
        "-H", virtual_service.url, "-t", "60s", thresholds=THRESHOLDS, look=look, meanwhile=interrupt
    )
    facts = run.read("run.json")

    assert run.status == 77, run.output
    assert (facts["end_reason"], facts["aborted_by"]) == ("SIGINT", None)


class Watches:
    """How the limits of one run after the other are looked at: those of the first are broken after 9 s."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, batches: int) -> dict[str, Any] | None:
        """Look at a run."""
        self.seen += [batches] if batches == 1 else []
        return broken_after(BROKEN_BATCHES if len(self.seen) == 1 else 1000, LIMIT)(batches)


@pytest.fixture
def limits(tmp_path: Path) -> str:
    """Return the path of a thresholds file."""
    path = tmp_path / "limits.yaml"
    path.write_text(THRESHOLDS, encoding="utf-8")
    return str(path)


def test_the_web_ui_goes_on(
    locustfile: Path, virtual_service: GreenletService, tmp_path: Path, limits: str
) -> None:
    """A run of the web UI is stopped with its verdict, and the next one can be started; states are told.

    The second has limits of which none aborts.
    """
    (tmp_path / "others.yaml").write_text(WATCHED, encoding="utf-8")
    told: list[dict[str, Any]] = []
    form = {"user_count": "4", "spawn_rate": "4", "run_time": "60s"}

    def run_twice(live: Live) -> None:
        for look_after_s in (5, 10, 15):
            if look_after_s != 10:
                live.post("/swarm", **form)
            gevent.sleep(look_after_s)
            told.append(live.get("/plimsoll/status"))
            form["thresholds"] = "others.yaml"
        live.post("/stop")
        gevent.sleep(10)
        told.append(live.get("/plimsoll/status"))
        live.stop()

    options = ["--web-port", "0", "--run-dir", str(tmp_path / "run"), "-H", virtual_service.url]
    arguments = ["-f", str(locustfile), *options, "--thresholds", limits]
    ended = run_locust(arguments, tmp_path, meanwhile=run_twice, look=Watches())
    first, second = (VirtualRun(0, ended.output, tmp_path / name) for name in ("run", "run-2"))

    assert [(each["state"], each.get("verdict")) for each in told] == [
        ("recording", None), ("judged", "FAIL"), ("recording", None), ("judged", "INCONCLUSIVE"),
    ]  # fmt: skip
    (state,) = told[0]["limits"]
    assert (state["source"], state["state"], state["n"]) == (LIMIT, "PASS", 200)
    assert told[2]["limits"][0]["n"] == 700
    assert first.read("run.json")["end_reason"] == WHY
    assert (second.read("run.json")["end_reason"], second.read("run.json")["aborted_by"]) == ("stopped", None)


@pytest.mark.parametrize("shape", ["", OWN])
def test_a_process_that_was_to_quit_does(
    locustfile: Path, virtual_service: GreenletService, tmp_path: Path, limits: str, shape: str
) -> None:
    """With --autostart and --autoquit the process ends after the aborted load as after any other."""
    locustfile.write_text(locustfile.read_text(encoding="utf-8") + shape, encoding="utf-8")
    options = ["--web-port", "0", "--run-dir", str(tmp_path / "run"), "-H", virtual_service.url]
    options += ["--autostart", "--autoquit", "3", *([] if shape else ["-t", "300s"]), "-u", "4", "-r", "4"]
    arguments = ["-f", str(locustfile), *options, "--thresholds", limits]
    ended = run_locust(arguments, look=broken_after(BROKEN_BATCHES, LIMIT))
    run = VirtualRun(ended.status, ended.output, tmp_path / "run")

    assert_aborted(run)
    assert ended.elapsed_s == pytest.approx(BROKEN_S + 3, abs=5)
