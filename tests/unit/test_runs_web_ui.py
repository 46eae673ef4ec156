"""The web UI in this process, under virtual time: every run has a directory and a verdict of its own."""

from __future__ import annotations

import gevent

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_virtual_runs import GreenletService
from tests.in_process import Live, run_locust
from tests.journeys import BROWSERS, JOURNEYS, ROOMS
from tests.processes import shape_names

FORM = {"user_count": "1", "spawn_rate": "1", "user_classes": "Visitor"}


@pytest.fixture
def web_ui(
    locustfile: Path, virtual_service: GreenletService, tmp_path: Path
) -> Callable[[Callable[[Live], object]], None]:
    """Return a function that runs the web UI over the visitor's locustfile and the suite's shapes."""

    def run(meanwhile: Callable[[Live], object]) -> None:
        def go_on(live: Live) -> None:
            meanwhile(live)
            live.stop()

        options = ["--web-port", "0", "--run-dir", str(tmp_path / "run"), "-H", virtual_service.url]
        run_locust(["-f", f"{locustfile},shapes", *options], meanwhile=go_on)

    return run


WebUi = Callable[[Callable[[Live], object]], None]


def test_a_second_run_has_a_directory_of_its_own(web_ui: WebUi, tmp_path: Path) -> None:
    """Runs of one web UI never write into each other; the page is told where each report is."""
    states, reports = [], []

    def run_twice(live: Live) -> None:
        for _ in range(2):
            live.post("/swarm", **FORM)
            gevent.sleep(20)
            states.append(live.get("/plimsoll/status")["state"])
            live.post("/stop")
            states.append(live.get("/plimsoll/status")["state"])
            gevent.sleep(20)
            reports.append(live.get("/plimsoll/status"))

    web_ui(run_twice)

    assert states == ["recording", "judging"] * 2
    assert [report["report"] for report in reports] == [
        "/plimsoll/runs/run/report",
        "/plimsoll/runs/run-2/report",
    ]
    assert {report["verdict"] for report in reports} == {"INCONCLUSIVE"}  # there were no limits
    assert (tmp_path / "run-2" / "report.html").exists()


def test_a_quick_restart_loses_no_run(web_ui: WebUi, tmp_path: Path) -> None:
    """A run that starts while the one before it is being judged leaves both with a verdict."""

    def restart(live: Live) -> None:
        for _ in range(2):
            live.post("/swarm", **FORM)
            gevent.sleep(5)
            live.post("/stop")
        gevent.sleep(20)

    web_ui(restart)

    assert (tmp_path / "run" / "verdict.json").exists()
    assert (tmp_path / "run-2" / "verdict.json").exists()


def test_every_journey_and_shape_can_be_picked(tmp_path: Path) -> None:
    """`locust` at the root, without any option, shows all of them, and listens on loopback only."""
    page: list[str] = []
    hosts: list[str] = []

    def look(live: Live) -> None:
        page.append(live.page("/"))
        web_ui = live.environment.web_ui
        assert web_ui is not None
        hosts.append(web_ui.host)
        live.stop()

    ended = run_locust(["--web-port", "0", "--run-dir", str(tmp_path / "run")], meanwhile=look)
    picked = [
        user_class.__name__ for of_file in (JOURNEYS | ROOMS | BROWSERS).values() for user_class in of_file
    ]

    assert hosts == ["127.0.0.1"], ended.output
    assert [name for name in [*picked, *shape_names()] if f'"{name}"' not in page[0]] == []
