"""Locust shows no secrets: not in its tables, CSV and HTML files, web UI and log, nor in run directories."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from locust import User, constant, task
from locust.argument_parser import default_args_dict
from locust.env import Environment
from locust.exception import CatchResponseError
from locust.html import get_html_report
from locust.log import LogReader
from locust.stats import (
    PERCENTILES_TO_REPORT,
    StatsCSV,
    get_error_report_summary,
    get_percentile_stats_summary,
    get_stats_summary,
)
from locust.web import WebUI

import csv
import io
import logging
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest

from plimsoll.locust_internals import redact_locust
from plimsoll.recording.recording import Recording
from reports.load.interval_file import read_intervals
from tests.fix_locust_process import fire
from tests.virtual_time import virtual_time

SECRET = "hunter2sEcret"
TABLES = logging.getLogger("locust.stats_logger")


class Visitor(User):
    """A user whose requests have secrets in their names and errors, and who raises with one."""

    wait_time = constant(1)
    request_names = frozenset({f"/reset?token={SECRET}", "COOKIE: POST /login"})

    @task
    def visit(self) -> None:
        """Make a request of each kind, and raise."""
        for name in (f"/reset?token={SECRET}", "COOKIE: POST /login", "COOKIE: GET /login"):
            fire(self.environment, name, CatchResponseError(f"password:\n{SECRET}"))
        raise ValueError(f"refused with password={SECRET}")


@pytest.fixture
def environment() -> Iterator[Environment]:
    """Return an environment that shows no secrets, with a runner."""
    own = {"run_dir": None, "thresholds": None, "warm_up": None, "database_url": None}
    options = Namespace(**default_args_dict(), **own)
    environment = Environment(user_classes=[Visitor], parsed_options=options)
    runner = environment.create_local_runner()
    redact_locust(environment)
    yield environment
    runner.quit()


def make_requests(environment: Environment) -> None:
    """Have requests fail, and a user raise, with secrets."""
    visitor = Visitor(environment)
    try:
        visitor.visit()
    except ValueError as error:
        environment.events.user_error.fire(user_instance=visitor, exception=error, tb=error.__traceback__)
    fire(environment, "plain", ConnectionError(f"http://ann:{SECRET}@host refuses"))
    fire(environment, "plain", f"Bearer {SECRET} refused")
    fire(environment, "plain", "got 500")


def test_names_stay_identities(environment: Environment) -> None:
    """What looks like a header is a name of its own, and only a secret's value is masked in a name."""
    make_requests(environment)

    assert sorted(name for name, _ in environment.stats.entries) == [
        "/reset?token=***",
        "COOKIE: GET /login",
        "COOKIE: POST /login",
        "plain",
    ]
    assert environment.stats.total.num_requests == 6


def test_tables(environment: Environment) -> None:
    """The tables on the terminal show every name and failure, without secrets."""
    make_requests(environment)
    lines = [
        *get_stats_summary(environment.stats),
        *get_percentile_stats_summary(environment.stats),
        *get_error_report_summary(environment.stats),
    ]
    shown = "\n".join(lines)

    assert SECRET not in shown
    assert "COOKIE: POST /login" in shown
    assert "GET plain: Bearer *** refused" in shown
    assert "GET plain: got 500" in shown


def test_csv_files(environment: Environment) -> None:
    """Locust's own CSV files show none either, and no failure is lost."""
    make_requests(environment)
    files, text = StatsCSV(environment, PERCENTILES_TO_REPORT), io.StringIO()
    for write in (files.requests_csv, files.failures_csv, files.exceptions_csv):
        write(csv.writer(text))

    assert SECRET not in text.getvalue()
    assert "refused with password=***" in text.getvalue()
    assert len(environment.stats.errors) == 6


def test_web_ui_and_html_report(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the web UI shows of requests, failures and exceptions, and the report, is masked."""
    monkeypatch.setattr(sys, "argv", ["locust"])  # which Locust reads for the fields of its form
    web_ui = WebUI(environment, "127.0.0.1", 0, delayed_start=True)
    make_requests(environment)
    assert web_ui.app is not None
    client = web_ui.app.test_client()
    shown = [client.get(path).get_data(as_text=True) for path in ("/stats/requests", "/exceptions")]
    shown.append(get_html_report(environment))

    assert all("***" in text for text in shown)
    assert not any(SECRET in text for text in shown)


def test_log(environment: Environment) -> None:
    """Lines and tracebacks in the log are masked, for the terminal and the web UI alike."""
    reader, root = LogReader(), logging.getLogger()
    root.addHandler(reader)
    try:
        redact_locust(environment)
        logging.getLogger("locust.user.task").error("%s\n%s", f"token={SECRET}", "Traceback")
        try:
            Visitor(environment).visit()
        except ValueError:
            logging.getLogger("locust.runners").exception("a user failed")
        # A table's other columns are no part of a header's value.
        TABLES.warning("GET      COOKIE: POST /login       12     0(0.00%)")
    finally:
        root.removeHandler(reader)

    assert SECRET not in "\n".join(reader.logs)
    assert reader.logs[0] == "token=***\nTraceback"
    assert reader.logs[1].endswith("ValueError: refused with password=***")
    assert reader.logs[-1] == "GET      COOKIE: POST /login       12     0(0.00%)"


def test_run_directory(
    environment: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No file of a run has a secret in it, nor has the name of its directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["locust", "--profile", f"pin={SECRET}", f"--password={SECRET}"])
    environment.profile = f"pin={SECRET}"
    environment.host = f"http://ann:{SECRET}@127.0.0.1"
    runner = environment.runner
    assert runner is not None
    with virtual_time():
        recording = Recording(environment, None, 0.0, runner.quit)
        runner.start(2, 2)
        gevent.sleep(5)
        recording.mark_end(None, schedule_ended=False)
        runner.stop()
        recording.finish(final_write=True)
    intervals, _ = read_intervals(recording.directory / "intervals.arrow")
    texts = {path.name: path.read_bytes().decode(errors="replace") for path in recording.directory.iterdir()}

    assert len(texts) >= 8
    assert not [name for name, text in texts.items() if SECRET in text]
    assert SECRET not in str(recording.directory)
    assert SECRET not in caplog.text
    assert SECRET not in repr(vars(intervals))
    assert '"profile": "pin=***"' in texts["run.json"]
