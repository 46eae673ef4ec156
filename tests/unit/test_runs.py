"""A run ends in a verdict and an exit status, however it ends; whole runs under virtual time."""

from __future__ import annotations

import gevent

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_runs import GENEROUS, IMPOSSIBLE, Run
from tests.fix_virtual_runs import GreenletService, VirtualRunner
from tests.in_process import JUDGING_S, Live, run_locust, run_reports

SETS_STATUS = """
from locust import events

def set_status(environment, **_):
    environment.process_exit_code = 0

events.quitting.add_listener(set_status)
events.init.add_listener(lambda environment, **_: environment.events.quitting.add_listener(set_status))
"""
EXITS_IN_INIT = """
import sys
from locust import events
events.init.add_listener(lambda **_: sys.exit(0))
"""


def aggregated(run: Run) -> dict[str, str]:
    """Return Locust's totals."""
    return next(row for row in run.rows("locust_stats.csv") if row["Name"] == "Aggregated")


def sent_after(after_s: float, *numbers: signal.Signals) -> Callable[[Live], None]:
    """Return what sends these signals, a second between them."""

    def send(live: Live) -> None:
        gevent.sleep(after_s)
        for number in numbers:
            live.send(number)
            gevent.sleep(1)

    return send


def test_pass(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """Within its limits a run is PASS with status 0, failed requests or not, and all is written down."""
    passed = virtual_run("-t", "12s", "-H", virtual_service.url, "--profile", "acceptance")
    verdict = passed.read("verdict.json")

    assert passed.status == 0, passed.output
    assert passed.elapsed_s == 12 + JUDGING_S
    assert verdict["verdict"] == "PASS"
    assert verdict["reasons"] == []
    assert "PASS" in passed.output
    assert "report.html" in passed.output
    # Four users, each of whom asks, waits 10 ms for the answer and 50 ms until the next, from the start on.
    assert verdict["run"]["requests"] == 4 * 12 / 0.06
    assert verdict["run"]["failures"] > 0
    assert {request["name"]: request["p99"] for request in verdict["requests"]}["shop.home"] == pytest.approx(
        10, rel=0.004
    )
    assert passed.read("run.json")["profile"] == "acceptance"
    assert passed.read("run.json")["end_reason"] == "run time reached"
    assert {"locust_stats.csv", "locust_failures.csv", "schedule.csv", "report.html", "thresholds.yaml"} <= {
        path.name for path in passed.directory.iterdir()
    }


def test_final_write(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """The CSVs hold what Locust itself counted at its very end, not what it had a second before."""
    path = virtual_run.folder / "locust"
    done = virtual_run("-t", "4s", "-H", virtual_service.url, "--json-file", str(path))
    counted = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    assert int(aggregated(done)["Request Count"]) == sum(entry["num_requests"] for entry in counted) > 0


def test_fail(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """A limit that cannot be met is FAIL with status 99, and the line is quoted with its value and limit."""
    failed = virtual_run("-t", "12s", "-H", virtual_service.url, thresholds=IMPOSSIBLE)
    (threshold,) = failed.read("verdict.json")["thresholds"]
    report = (failed.directory / "report.html").read_text(encoding="utf-8")

    assert failed.status == 99, failed.output
    assert (threshold["verdict"], threshold["limit"]) == ("FAIL", 1)
    assert "count of shop.home < 1" in failed.output
    assert f"{threshold['value']:.0f}" in failed.output
    assert "count of shop.home &lt; 1" in report


@pytest.mark.parametrize("thresholds", [GENEROUS, "thresholds:\n  - count < 1\n", None])
def test_dead_host_is_never_green(
    virtual_run: VirtualRunner, virtual_service: GreenletService, thresholds: str | None
) -> None:
    """A host that does not answer ends in FAIL or INCONCLUSIVE, whatever the limits are."""
    virtual_service.close()

    assert virtual_run("-t", "12s", "-H", virtual_service.url, thresholds=thresholds).status in {77, 99}


def test_no_requests_is_never_green(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """A run whose users never sent anything is not a pass."""
    source = virtual_run.locustfile.read_text(encoding="utf-8")
    virtual_run.locustfile.write_text(source.replace("self.client.get(", "dict(path="), encoding="utf-8")
    idle = virtual_run(
        "-t", "12s", "-H", virtual_service.url, thresholds="thresholds:\n  - error_rate < 1%\n"
    )

    assert idle.status == 77, idle.output


def test_paths_are_those_of_the_user(
    virtual_run: VirtualRunner, virtual_service: GreenletService, tmp_path: Path
) -> None:
    """Thresholds and results are looked for where the user is, not where the suite is."""
    (tmp_path / "limits.yaml").write_text(IMPOSSIBLE, encoding="utf-8")
    options = ["--run-dir", "", "--thresholds", "limits.yaml", "--profile", "here"]
    run = virtual_run("-t", "12s", "-H", virtual_service.url, *options, folder=tmp_path)

    assert run.status == 99, run.output
    assert [path.name.endswith("-here") for path in (tmp_path / "results").iterdir()] == [True]


@pytest.mark.parametrize("shape", ["", "shapes/ramp.py"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(
    virtual_run: VirtualRunner, virtual_service: GreenletService, number: signal.Signals, shape: str
) -> None:
    """A run that is told to stop still writes its report, and says why it ended, with a shape and without."""
    files = ",".join(filter(None, [str(virtual_run.locustfile), shape]))
    stopped = virtual_run(
        "-f", files, "-H", virtual_service.url, thresholds=IMPOSSIBLE, meanwhile=sent_after(7.5, number)
    )

    assert stopped.status == 99, stopped.output
    assert stopped.read("run.json")["end_reason"] == number.name
    assert stopped.read("verdict.json")["run"]["duration_s"] == pytest.approx(7.5, abs=0.01)
    assert stopped.read("verdict.json")["verdict"] == "FAIL"
    assert (stopped.directory / "report.html").exists()


def test_what_is_on_disk(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """Killed at any moment, a run has all but its last three seconds on disk, which cannot pass."""
    killed = virtual_run.folder / "killed"
    run = virtual_run(
        "-t", "60s", "-H", virtual_service.url,
        meanwhile=lambda _: (gevent.sleep(40.9), shutil.copytree(virtual_run.folder / "run-1", killed)),
    )  # fmt: skip
    judged = run_reports(["judge", str(killed)])
    left = Run(judged.returncode, judged.stdout, killed)
    verdict = left.read("verdict.json")

    assert run.status == 0
    assert judged.returncode == 77, judged.stdout + judged.stderr
    assert float(left.rows("schedule.csv")[-1]["elapsed_s"]) >= 40
    assert verdict["run"]["requests"] >= 4 * 37.9 / 0.06
    assert {check["check"] for check in verdict["validity"] if not check["ok"]} == {"run_completed"}


def test_a_signal_after_the_load(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """A run that came to its own end is judged although Ctrl-C comes while it is."""
    late = sent_after(13, signal.SIGINT)
    run = virtual_run("-t", "12s", "-H", virtual_service.url, thresholds=IMPOSSIBLE, meanwhile=late)

    assert run.read("run.json")["end_reason"] == "run time reached"
    assert run.status == 99
    assert "Traceback" not in run.output


def test_a_shape_of_ones_own(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """A user's own shape that ends its load has come to its planned end."""
    source = virtual_run.locustfile.read_text(encoding="utf-8")
    source = source.replace("FastHttpUser,", "FastHttpUser, LoadTestShape,")
    tick = "def tick(self): return (4, 4) if self.get_run_time() < 8 else None"
    virtual_run.locustfile.write_text(f"{source}\nclass Own(LoadTestShape):\n    {tick}\n", encoding="utf-8")
    done = virtual_run("-H", virtual_service.url)

    assert done.status == 0, done.output
    assert done.read("run.json")["end_reason"] == "schedule ended"


def change(run: VirtualRunner, old: str, new: str) -> None:
    """Change the locustfile of a run."""
    source = run.locustfile.read_text(encoding="utf-8")
    assert old in source
    run.locustfile.write_text(source.replace(old, new), encoding="utf-8")


def test_a_listener_sets_no_exit_status(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """The verdict is the exit status also where listeners of quitting, before ours or after, set another."""
    change(virtual_run, "record_run()", f"record_run()\n{SETS_STATUS}")
    failed = virtual_run("-H", virtual_service.url, "-t", "12s", thresholds=IMPOSSIBLE)

    assert failed.status == 99, failed.output
    assert failed.output.count("process_exit_code = 0 of the locustfile is overridden by the verdict") == 1


def test_an_exit_of_a_user(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """sys.exit(0) in a task ends the run, which is judged, cannot pass, and names it."""
    change(virtual_run, 'self.client.get("/broken"', 'import sys; sys.exit(0); self.client.get("/broken"')
    ended = virtual_run("-H", virtual_service.url, "-t", "50s")
    aborted = ended.read("run.json")["aborted"]

    assert ended.status == 77, ended.output
    assert aborted.startswith("sys.exit(0) in visitor.py, line ")
    reason = {"kind": "check", "subject": "not_aborted", "text": f"the run was broken off: {aborted}"}
    assert reason in ended.read("verdict.json")["reasons"]


def test_an_exit_before_the_load(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """sys.exit(0) in a listener of init has made no load, and that is said."""
    change(virtual_run, "record_run()", f"record_run()\n{EXITS_IN_INIT}")
    ended = virtual_run("-H", virtual_service.url, "-t", "4s")

    assert ended.status == 77, ended.output
    assert "plimsoll: no load was made: sys.exit(0) in visitor.py, line" in ended.output
    assert virtual_service.answered == 0


def test_secrets_stay_out(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """Passwords of the host and tokens in the command never reach the run directory or the terminal."""
    host = virtual_service.url.replace("http://", "http://ann:s3cret@")
    done = virtual_run("-t", "2s", "-H", host, thresholds=IMPOSSIBLE)
    written = "".join(path.read_text(encoding="utf-8", errors="replace") for path in done.directory.iterdir())

    assert "s3cret" not in written + done.output
    assert "http://ann:***@127.0.0.1" in written


def test_a_busy_generator(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """A generator that has no core for 200 ms a second is named; the service is not blamed for its delays."""

    def take_the_core(live: Live) -> None:
        while True:
            gevent.sleep(0.8)
            live.clock.stand_still(0.2)

    limits = "thresholds:\n  - p99 of shop.home < 30 ms\n  - error_rate < 50%\n"
    starved = virtual_run("-t", "30s", "-H", virtual_service.url, thresholds=limits, meanwhile=take_the_core)
    verdict = starved.read("verdict.json")

    assert starved.status == 77, starved.output
    failed = {check["check"] for check in verdict["validity"] if not check["ok"]}
    assert "generator_stalls" in failed
    assert all(check.startswith("generator_") for check in failed)
    assert verdict["thresholds"][0]["verdict"] == "INCONCLUSIVE"


def test_reset_by_hand(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """Clearing Locust's figures takes nothing from the recorder, which is judged."""
    cleared = virtual_run("-t", "12s", "-r", "1", "-H", virtual_service.url, "--reset-stats")
    counted = cleared.read("verdict.json")["run"]["requests"]

    assert cleared.read("run.json")["stats_reset"] is True
    assert counted > cleared.read("run.json")["locust_totals"]["requests"]
    assert cleared.status == 0, cleared.output


def test_plain_locust_csv(
    virtual_run: VirtualRunner, virtual_service: GreenletService, tmp_path: Path
) -> None:
    """CSVs of a Locust that knows nothing of this suite are judged as well."""
    source = virtual_run.locustfile.read_text(encoding="utf-8")
    source = source.replace("from plimsoll import record_run", "").replace("record_run()", "")
    virtual_run.locustfile.write_text(source, encoding="utf-8")
    limits = tmp_path / "limits.yaml"
    limits.write_text(IMPOSSIBLE, encoding="utf-8")
    plain = [
        "-f",
        str(virtual_run.locustfile),
        "--headless",
        "-u",
        "4",
        "-t",
        "12s",
        "-H",
        virtual_service.url,
    ]
    run_locust([*plain, "--csv", "out/x"], tmp_path)
    judged = run_reports(["judge", str(tmp_path / "out" / "x"), "--thresholds", str(limits)])

    assert judged.returncode == 99, judged.stdout + judged.stderr
    assert (tmp_path / "out" / "x_report.html").exists()
