"""A run of a real Locust process ends in a verdict and an exit status, however it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.fix_bystander import Bystander, assert_green
from tests.fix_runs import GENEROUS, IMPOSSIBLE, Run, Runner, has_history, judge, until
from tests.fix_service import Service
from tests.processes import finish, free_port, shape_names, start_locust, two_workers

ROOT = Path(__file__).resolve().parents[2]


def aggregated(run: Run) -> dict[str, str]:
    """Return Locust's totals."""
    return next(row for row in run.rows("locust_stats.csv") if row["Name"] == "Aggregated")


@pytest.mark.calm
def test_pass(run: Runner, service: Service, bystander: Bystander) -> None:
    """Within its limits a run is PASS with status 0, failed requests or not, and all is written down."""
    passed = run("-t", "12s", "-H", service.url, "--profile", "acceptance")
    verdict = passed.read("verdict.json")

    assert_green(passed, bystander)
    assert verdict["verdict"] == "PASS"
    assert "PASS" in passed.output
    assert "report.html" in passed.output
    assert verdict["run"]["failures"] > 0
    assert passed.read("run.json")["profile"] == "acceptance"
    assert passed.read("run.json")["end_reason"] == "run time reached"
    assert {"locust_stats.csv", "locust_failures.csv", "stages.csv", "report.html", "thresholds.yaml"} <= {
        path.name for path in passed.directory.iterdir()
    }


def test_final_write(run: Runner, service: Service) -> None:
    """The CSVs hold what Locust itself counted at its very end, not what it had a second before."""
    done = run("-t", "4s", "-H", service.url, "--json-file", str(run.folder / "locust"))
    counted = json.loads((run.folder / "locust.json").read_text())

    assert int(aggregated(done)["Request Count"]) == sum(entry["num_requests"] for entry in counted)


def test_fail(run: Runner, service: Service) -> None:
    """A limit that cannot be met is FAIL with status 99, and the line is quoted with its value and limit."""
    failed = run("-t", "4s", "-H", service.url, thresholds=IMPOSSIBLE)
    (threshold,) = failed.read("verdict.json")["thresholds"]
    report = (failed.directory / "report.html").read_text(encoding="utf-8")

    assert failed.status == 99, failed.output
    assert (threshold["verdict"], threshold["limit"]) == ("FAIL", 1)
    assert "count of shop.home < 1" in failed.output
    assert f"{threshold['value']:.0f}" in failed.output
    assert "count of shop.home &lt; 1" in report


@pytest.mark.parametrize("thresholds", [GENEROUS, "thresholds:\n  - count < 1\n", None])
def test_dead_host_is_never_green(run: Runner, service: Service, thresholds: str | None) -> None:
    """A host that does not answer ends in FAIL or INCONCLUSIVE, whatever the limits are."""
    service.close()

    assert run("-t", "3s", "-H", service.url, thresholds=thresholds).status in {77, 99}


def test_no_requests_is_never_green(run: Runner, service: Service) -> None:
    """A run whose users never sent anything is not a pass."""
    run.locustfile.write_text(run.locustfile.read_text().replace("self.client.get(", "dict(path="))

    assert run("-t", "2s", "-H", service.url, thresholds="thresholds:\n  - error_rate < 1%\n").status == 77


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        pytest.param(
            "thresholds:\n  - p95 of shop.hom < 1 s\n", "shop.home", id="an unknown name: the nearest one"
        ),
        pytest.param("thresholds:\n  - p95 of shop.home < 1 parsec\n", "parsec", id="a bad unit"),
        pytest.param("thresholds:\n  - p101 of shop.home < 1 s\n", "p101", id="a percentile over 100"),
        pytest.param("- p95 < 1 s\n", "mapping", id="YAML that is no mapping"),
    ],
)
def test_wrong_thresholds_stop_before_the_load(
    run: Runner, service: Service, thresholds: str, said: str
) -> None:
    """A fault in the thresholds is status 2 and one line, and the service never sees a request."""
    refused = run("-t", "60s", "-H", service.url, thresholds=thresholds)

    assert refused.status == 2, refused.output
    assert [said in line for line in refused.output.splitlines() if line.startswith("plimsoll:")] == [True]
    assert "Traceback" not in refused.output
    assert service.answered == 0
    assert not (refused.directory / "run.json").exists()


def test_all_faults_of_the_options_at_once(run: Runner) -> None:
    """Host, run directory and thresholds are all checked before anything is said."""
    (run.folder / "run-1").mkdir()
    (run.folder / "run-1" / "something").touch()
    refused = run("-H", "localhost:80", thresholds="thresholds: []\n")

    assert refused.status == 2
    for fault in ("'localhost:80' is not a base URL", "is not empty", "thresholds"):
        assert fault in refused.output


def test_paths_are_those_of_the_user(run: Runner, service: Service, tmp_path: Path) -> None:
    """Thresholds and results are looked for where the user is, not where the suite is."""
    (tmp_path / "limits.yaml").write_text(IMPOSSIBLE)
    options = ["-f", str(run.locustfile), "--headless", "-t", "1s", "-H", service.url]
    process = start_locust([*options, "--thresholds", "limits.yaml", "--profile", "here"], tmp_path)
    output = finish(process)

    assert process.returncode == 99, output
    assert [path.name.endswith("-here") for path in (tmp_path / "results").iterdir()] == [True]


def test_names_that_are_no_set(run: Runner, service: Service) -> None:
    """One name in quotes would be taken for a set of letters; it is refused."""
    source = run.locustfile.read_text().replace('frozenset({"shop.home", "shop.broken"})', '"shop.home"')
    run.locustfile.write_text(source)
    refused = run("-H", service.url)

    assert refused.status == 2
    assert "Visitor.request_names must be a set of names, got 'shop.home'" in refused.output


def test_scales_that_leave_nothing(run: Runner, service: Service) -> None:
    """A scale that makes the load vanish is refused before it."""
    refused = run("-f", f"{run.locustfile},shapes/ramp.py", "-H", service.url, "--time-scale", "0.0001")

    assert refused.status == 2, refused.output
    assert "--time-scale leaves 0.24 s of load; it must leave at least 1 s" in refused.output
    assert "Traceback" not in refused.output


def test_no_host(run: Runner) -> None:
    """Without a host nothing is run, and the ways to name one are said."""
    refused = run("-t", "60s")

    assert refused.status == 2
    assert "Visitor: no host; give --host URL, or --with-target" in refused.output


def test_missing_thresholds_file(run: Runner, service: Service) -> None:
    """A thresholds file that is not there is a wrong configuration, not a crash."""
    refused = run("-H", service.url, "--thresholds", "nowhere.yaml", thresholds=None)

    assert refused.status == 2, refused.output
    assert "nowhere.yaml" in refused.output
    assert "Traceback" not in refused.output


def test_several_shapes_headless(run: Runner, service: Service) -> None:
    """Locust would silently play the first of several shapes; here they are named and refused."""
    refused = run("-f", f"{run.locustfile},shapes", "-H", service.url)

    assert refused.status == 2
    assert ", ".join(shape_names()) in refused.output


@pytest.mark.parametrize("shape", ["", "shapes/ramp.py"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals(run: Runner, service: Service, name: str, shape: str) -> None:
    """A run that is told to stop still writes its report, and says why it ended, with a shape and without."""
    files = ",".join(filter(None, [str(run.locustfile), shape]))
    process, directory = run.start("-f", files, "-H", service.url, thresholds=IMPOSSIBLE)
    until(lambda: has_history(directory))
    process.send_signal(getattr(signal, name))
    output = finish(process)
    stopped = Run(process.returncode, output, directory)

    assert process.returncode == 99, stopped.output
    assert stopped.read("run.json")["end_reason"] == name
    assert stopped.read("verdict.json")["verdict"] == "FAIL"
    assert (directory / "report.html").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals_while_waiting_for_workers(run: Runner, service: Service, name: str) -> None:
    """A master that is told to stop before it had a worker ends at once: no traceback, and not green."""
    log, port = run.folder / "log.txt", str(free_port())
    master = ["--master", "--master-bind-port", port, "--expect-workers", "1", "--logfile", str(log)]
    process, _ = run.start("-H", service.url, *master)
    until(lambda: log.exists() and "Waiting for workers" in log.read_text())
    process.send_signal(getattr(signal, name))
    output = finish(process, timeout_s=20)

    assert process.returncode == 77, output
    assert f"no load was made: {name} came before it" in output
    assert "Traceback" not in output + log.read_text()


@pytest.mark.calm
def test_a_shape_of_ones_own(run: Runner, service: Service, bystander: Bystander) -> None:
    """A user's own shape that ends its load has come to its planned end."""
    source = run.locustfile.read_text().replace("FastHttpUser,", "FastHttpUser, LoadTestShape,")
    tick = "def tick(self): return (4, 4) if self.get_run_time() < 8 else None"
    run.locustfile.write_text(f"{source}\nclass Own(LoadTestShape):\n    {tick}\n")
    done = run("-H", service.url)

    assert_green(done, bystander)
    assert done.read("run.json")["end_reason"] == "schedule ended"


def test_kill_9(run: Runner, service: Service) -> None:
    """What a killed run had written can be judged, and cannot pass."""
    process, directory = run.start("-H", service.url)
    until(lambda: has_history(directory, rows=12))
    answered = service.answered
    process.kill()
    finish(process)
    judged = judge(directory)
    verdict = Run(judged.returncode, judged.stdout, directory).read("verdict.json")

    assert judged.returncode == 77, judged.stdout + judged.stderr
    assert verdict["run"]["requests"] > 0.5 * answered


@pytest.mark.calm
def test_two_processes(run: Runner, service: Service, bystander: Bystander) -> None:
    """With worker processes the master records the whole run: all users, all requests, the workers' names."""
    done = run(
        "-f",
        f"{run.locustfile},shapes/ramp.py",
        "-H",
        service.url,
        *two_workers(),
        "--user-scale",
        "0.008",
        "--time-scale",
        "0.006",
    )
    stages = done.rows("stages.csv")

    assert_green(done, bystander)
    assert len(done.read("run.json")["workers"]) == 2
    assert done.read("run.json")["end_reason"] == "schedule ended"
    assert {row["stage"] for row in stages} >= {"ramp_up", "hold", "ramp_down"}
    assert max(int(row["users"]) for row in stages) == 8
    assert int(aggregated(done)["Request Count"]) >= 0.97 * service.answered


def test_workers_end_with_their_master(run: Runner, service: Service) -> None:
    """Workers whose users have time to stop do not stay for the minute until they miss their master."""
    options = ["-t", "3s", "--stop-timeout", "2", *two_workers()]
    process, directory = run.start("-H", service.url, *options)
    output = finish(process, timeout_s=30)

    assert Run(process.returncode, output, directory).read("run.json")["lost_workers"] == []
    assert "heartbeat" not in output


def test_secrets_stay_out(run: Runner, service: Service) -> None:
    """Passwords of the host and tokens in the command never reach the run directory or the terminal."""
    host = service.url.replace("http://", "http://ann:s3cret@")
    done = run("-t", "2s", "-H", host, thresholds=IMPOSSIBLE)
    written = "".join(path.read_text(encoding="utf-8", errors="replace") for path in done.directory.iterdir())

    assert "s3cret" not in written + done.output
    assert "http://ann:***@127.0.0.1" in written


def test_plain_locust_csv(run: Runner, service: Service, tmp_path: Path) -> None:
    """CSVs of a Locust that knows nothing of this suite are judged as well."""
    source = run.locustfile.read_text().replace("from telemetry.switch import record_run", "import gevent")
    # Locust counts its run time from when the event loop last turned, which may be before a slow import.
    run.locustfile.write_text(source.replace("record_run()", "gevent.get_hub().loop.update_now()"))
    plain = [
        "-f",
        str(run.locustfile),
        "--headless",
        "-u",
        "4",
        "-t",
        "3s",
        "-H",
        service.url,
        "--csv",
        "out/x",
    ]
    finish(start_locust(plain, tmp_path))
    limits = tmp_path / "limits.yaml"
    limits.write_text(IMPOSSIBLE)
    judged = judge(tmp_path / "out" / "x", "--thresholds", str(limits))

    assert judged.returncode == 99, judged.stdout + judged.stderr
    assert (tmp_path / "out" / "x_report.html").exists()
