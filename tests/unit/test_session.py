"""A run is recorded from the end of its set-up to its end, in the process that plays it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from locust import LoadTestShape
from locust.env import Environment

import json
import math
import os
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plimsoll.loads.arrival_dispatcher import keep_intended_starts
from plimsoll.loads.arrival_shape import _receive_reports
from plimsoll.loads.schedule import Stage
from plimsoll.loads.scheduled_shape import ScheduledShape
from plimsoll.recording.exits import LastResort
from plimsoll.recording.judging import copy_thresholds
from plimsoll.recording.plugin import UNRECORDED, _on_init
from plimsoll.run_files.exit_status import VERDICTS
from reports.cli import main
from reports.render.terminal import terminal_text
from reports.thresholds.reading import read_thresholds
from tests.fix_locust_process import Judge, LocustProcess, Visitor, fire
from tests.make_directory import FACTS
from tests.virtual_time import virtual_time


class Risen(ScheduledShape):
    """Up to 20 users in 10 s, who stay for 5 s."""

    stages = (Stage("rise", 10, 0, 20), Stage("hold", 5, 20, 20))


@pytest.fixture(autouse=True)
def _alone(judge: type[Judge]) -> None:
    """Have no signals taken and no process started to judge."""


def check_of(verdict: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one check of a verdict."""
    found: dict[str, Any] = next(check for check in verdict["validity"] if check["check"] == name)
    return found


def test_set_up_before_the_load(tmp_path: Path) -> None:
    """Of -t 25 s a set-up of 10 s leaves 15 s of load, as planned; its own requests are not counted."""
    process = LocustProcess(tmp_path / "run", run_time=25).listen()

    def prepare(**_: Any) -> None:
        for _request in range(20):
            fire(process.environment)
        gevent.sleep(10)

    with virtual_time():
        process.on("test_start", prepare)
        process.runner.start(4, 4)
        process.play(25)

    facts = process.facts
    assert facts.keys() == FACTS.keys() | {"file_digests", "sha256"}  # what the tests of the judge build
    assert (facts["set_up_s"], facts["planned_duration_s"]) == (10.0, 15.0)
    assert facts["end_reason"] == "run time reached"
    assert facts["locust_totals"] == {"requests": process.runner.stats.total.num_requests - 20, "failures": 0}
    assert facts["locust_totals"]["requests"] == pytest.approx(4 * 2 * 15, abs=8)


def test_a_shape_waits_for_the_set_up(tmp_path: Path) -> None:
    """Set-up that takes longer than a tick is done once, and then the whole schedule is played."""
    process, prepared = LocustProcess(tmp_path / "run", Risen()).listen(), list[float]()

    def prepare(**_: Any) -> None:
        prepared.append(clock.elapsed_s)
        gevent.sleep(7.3)

    with virtual_time() as clock:
        process.on("test_start", prepare)
        process.runner.start_shape()
        process.play(30)

    assert prepared == [0]
    rows = [line.split(",") for line in (tmp_path / "run" / "schedule.csv").read_text().splitlines()[1:]]
    assert max(int(row[4]) for row in rows) == 20
    assert process.facts["end_reason"] == "schedule ended"
    assert float(rows[-1][1]) >= 14


def test_locust_as_a_library_without_our_options(caplog: pytest.LogCaptureFixture) -> None:
    """An Environment made by hand plays its run unrecorded, which is said, and nothing goes wrong."""
    for options in (None, Namespace(headless=True)):
        environment = Environment(user_classes=[Visitor], parsed_options=options)
        for listener in (partial(_on_init, LastResort()), keep_intended_starts, _receive_reports):
            environment.events.init.add_listener(listener)
        runner = environment.create_local_runner()
        with virtual_time():
            environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
            runner.start(2, 2)
            gevent.sleep(5)
            runner.quit()
            environment.events.quitting.fire(environment=environment, reverse=True)
        assert runner.stats.total.num_requests > 10

    ours = [record for record in caplog.records if "CPU" not in record.getMessage()]
    assert [record.getMessage() for record in ours if record.levelname != "INFO"] == [UNRECORDED] * 2


def test_a_single_user_is_debugged_unrecorded(caplog: pytest.LogCaptureFixture) -> None:
    """run_single_user, which has options and no runner, is left alone without a word."""
    environment = Environment(parsed_options=Namespace(run_dir=None))
    environment.events.init.add_listener(partial(_on_init, LastResort()))
    environment.events.init.fire(environment=environment, runner=None, web_ui=None)

    assert not caplog.records


def test_a_shape_of_ones_own_is_recorded_from_its_last_set_up(tmp_path: Path) -> None:
    """Locust breaks off test_start for each new tick of a shape, and starts it again: one run is recorded."""

    class Rising(LoadTestShape):
        """Other users at each tick of the first 4 s."""

        def tick(self) -> tuple[int, float] | None:
            """Return one more user a second, up to 4."""
            return min(4, int(self.get_run_time()) + 1), 4

    process, prepared = LocustProcess(tmp_path / "run", Rising()).listen(), list[float]()

    def prepare(**_: Any) -> None:
        prepared.append(clock.elapsed_s)
        gevent.sleep(3)

    with virtual_time() as clock:
        process.on("test_start", prepare)
        process.runner.start_shape()
        process.play(20)

    assert len(prepared) == 4
    assert process.facts["set_up_s"] == 3.0
    assert process.facts["locust_totals"]["requests"] > 0


def test_a_run_is_judged(tmp_path: Path) -> None:
    """A run that came to its end passes; those below differ from it in one thing."""
    process = LocustProcess(tmp_path / "run", run_time=60).listen()
    with virtual_time():
        process.runner.start(4, 4)
        process.play(60)

    assert (process.verdict["verdict"], process.verdict["reasons"]) == ("PASS", [])
    assert process.facts["clock_steps"] == []


@pytest.mark.parametrize("forward_s", [3600.0, -3600.0])
def test_a_wall_clock_that_is_set(tmp_path: Path, forward_s: float) -> None:
    """An hour forward or back in the run changes no duration and no rate, and is named in the verdict.

    Forward, it may have been a virtual machine that was paused with its clocks.
    """
    process = LocustProcess(tmp_path / "run", run_time=60).listen()
    with virtual_time() as clock:
        process.runner.start(4, 4)
        gevent.spawn_later(20.1, clock.set_wall_clock, forward_s)
        process.play(60)

    (step,) = process.facts["clock_steps"]
    at_s = pytest.approx(21, abs=0.1)
    assert step == {"process": "local", "at_s": at_s, "forward_s": forward_s, "suspended_s": 0.0}
    verdict = process.verdict
    assert verdict["run"]["duration_s"] == pytest.approx(60, abs=0.1)
    assert verdict["thresholds"][0]["value"] == pytest.approx(8, abs=0.2)
    is_pause = forward_s > 0
    found = ("INCONCLUSIVE", ["clock_steps"]) if is_pause else ("PASS", [])
    assert (verdict["verdict"], process.failed_checks) == found
    reason = check_of(verdict, "clock_steps")["reason"]
    way = "forward" if is_pause else "back"
    assert f"the wall clock of process 'local' was set {way} by 3600 s, 21 s after the start" in reason
    assert ("paused with its clocks" if is_pause else "only latencies that a client takes") in reason
    assert f"{'check' if is_pause else 'note'} clock_steps: {reason}" in " ".join(
        terminal_text(verdict).split()
    )
    for file, column in (("health.csv", 0), ("schedule.csv", 0), ("locust_stats_history.csv", 0)):
        rows = (process.directory / file).read_text().splitlines()[1:]
        written_s = sorted({float(row.split(",")[column]) for row in rows})
        assert written_s[-1] - written_s[0] < 80, file


@pytest.mark.parametrize(("at_s", "verdict"), [(20.1, "INCONCLUSIVE"), (5.1, "PASS")])
def test_a_machine_that_is_suspended(tmp_path: Path, at_s: float, verdict: str) -> None:
    """The time that is lost takes the ground from the run; while the users still come it is only named."""
    process = LocustProcess(tmp_path / "run", run_time=60, spawn_rate=0.2).listen()
    with virtual_time() as clock:
        process.runner.start(4, 0.2)
        gevent.spawn_later(at_s, clock.suspend, 30)
        process.play(60)

    found = process.verdict
    assert found["verdict"] == verdict
    assert process.failed_checks == ([] if verdict == "PASS" else ["clock_steps"])
    check = check_of(found, "clock_steps")
    assert (check["value"], check["limit"]) == (0.0 if verdict == "PASS" else 30.0, 0.0)
    named = f"the machine of process 'local' was suspended for 30 s, {math.ceil(at_s)} s after the start"
    assert check["reason"] == named


def test_a_generator_that_stands_still(tmp_path: Path) -> None:
    """Four stops of 3.5 s in 40 s are four late samples, and a third of the time without load."""
    process = LocustProcess(tmp_path / "run", run_time=40).listen()
    with virtual_time() as clock:
        process.runner.start(4, 4)
        for at_s in (6, 14, 22, 30):
            gevent.spawn_later(at_s, clock.stand_still, 3.5)
        process.play(40)

    assert process.verdict["verdict"] == "INCONCLUSIVE"
    assert "generator_stalls" in process.failed_checks


class Own(LoadTestShape):
    """Stages of a user's own: 4 users for 40 s, 8 for 20 s, and 4 again, each reached at one a second."""

    def tick(self) -> tuple[int, float] | None:
        """Return the users of the stage, None after 90 s."""
        run_time_s = self.get_run_time()
        if run_time_s > 90:
            return None
        return (8 if 40 < run_time_s < 60 else 4), 1


def test_a_shape_of_ones_own_ends_when_it_says_so(tmp_path: Path) -> None:
    """Its ramps are on plan and its end is the planned one, whatever --run-time is; an earlier one is not."""
    whole = LocustProcess(tmp_path / "whole", Own(), run_time=240).listen()
    stopped = LocustProcess(tmp_path / "stopped", Own(), run_time=20).listen()
    for process, for_s in ((whole, 120), (stopped, 24)):
        with virtual_time():
            process.runner.start_shape()
            process.play(for_s)

    assert (whole.failed_checks, whole.facts["end_reason"]) == ([], "schedule ended")
    assert (stopped.failed_checks, stopped.verdict["verdict"]) == (["run_completed"], "INCONCLUSIVE")


def test_a_secret_in_a_selector(tmp_path: Path) -> None:
    """A limit on a name with a secret is kept with the secret masked, and judges the name as recorded."""
    secret, limits = "ghp_16C7e42F292c6912E7710c838347Ae178B4a", tmp_path / "limits.yaml"
    statement = f'p95 of "/login?token={secret}" < 1 s'
    limits.write_text(f"# as of {secret}\nthresholds:\n- '{statement}'\n", encoding="utf-8")
    process = LocustProcess(tmp_path / "run", run_time=25, thresholds=str(limits)).listen()
    process.user_class.tasks = [lambda user: fire(user.environment, f"/login?token={secret}")]
    with virtual_time():
        process.runner.start(4, 4)
        process.play(25)

    (copied,) = read_thresholds(tmp_path / "run" / "thresholds.yaml")
    assert copied.statement.source == 'p95 of "/login?token=***" < 1 s'
    for named in ([], ["--thresholds", str(limits)]):
        assert main(["judge", str(tmp_path / "run"), *named]) in VERDICTS
        verdict = json.loads((tmp_path / "run" / "verdict.json").read_text(encoding="utf-8"))
        assert verdict["thresholds"][0]["value"] == pytest.approx(5, abs=0.2)
        for name in ("thresholds.yaml", "verdict.json", "report.html"):
            assert secret not in (tmp_path / "run" / name).read_text(encoding="utf-8")


def test_limits_without_secrets_are_kept_as_they_are(tmp_path: Path) -> None:
    """A thresholds file is copied with its comments and its layout where it has nothing to mask."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("# agreed in May\nthresholds: [ p95 < 1 s ]\n", encoding="utf-8")
    copy_thresholds(str(limits), tmp_path / "copy.yaml")

    assert (tmp_path / "copy.yaml").read_bytes() == limits.read_bytes()


def test_variables_in_limits_are_kept_by_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy in the run directory means the same wherever it is judged by: it has values, no variables."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("thresholds: ['p95 < ${LIMIT}']\n", encoding="utf-8")
    monkeypatch.setenv("LIMIT", "2 s")
    copy_thresholds(str(limits), tmp_path / "copy.yaml")
    monkeypatch.delenv("LIMIT")

    (copied,) = read_thresholds(tmp_path / "copy.yaml")
    assert copied.statement.source == "p95 < 2 s"


def test_several_files_of_limits_are_kept_as_one(tmp_path: Path) -> None:
    """The one file in the run directory has the thresholds of all files of --thresholds, in their order."""
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    files[0].write_text("# agreed in May\nthresholds: [p95 < 1 s]\n", encoding="utf-8")
    files[1].write_text(
        "thresholds: [{expr: error_rate < 1%, level: warn, name: errors}, rps > 1]", encoding="utf-8"
    )
    copy_thresholds(",".join(map(str, files)), tmp_path / "copy.yaml")

    assert read_thresholds(tmp_path / "copy.yaml") == read_thresholds(files)


@pytest.mark.parametrize("stream", [None, "closed", "broken"])
def test_a_judgement_that_cannot_be_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str | None
) -> None:
    """Where standard output is closed or its reader has gone, a run ends as any other."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        if stream == "closed":
            output.close()
        monkeypatch.setattr(sys, "stdout", output if stream else None)
        process = LocustProcess(tmp_path / "run", run_time=25).listen()
        with virtual_time():
            process.runner.start(4, 4)
            process.play(25)
            process.end.session.print_judgement()

    assert process.end.session.judgement is not None
