"""The command line: `python -m reports judge RUN`, `steps RUN`, `check --thresholds FILE`, `export RUN …`.

Each command's module is imported when it is called, so that `check` does not wait for pandas.
"""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from reports.errors import ConfigError, ReportError
from reports.outcome import BAD_CONFIGURATION, CRASH

Command = Callable[[argparse.Namespace], tuple[int, str]]
"""Returns the exit status and the text for stdout."""

COMMANDS = {
    "judge": "reports.commands.judge",
    "steps": "reports.commands.steps",
    "check": "reports.commands.check",
    "export": "reports.commands.export",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: see `reports.outcome`."""
    options = _parser().parse_args(arguments)
    try:
        # Only the words of COMMANDS get here: argparse refuses all others.
        command = cast("Command", importlib.import_module(COMMANDS[options.command]).run)
        status, text = command(options)
    except ReportError as error:
        return _refuse(error, options)
    except OSError as error:
        return _refuse(ReportError(f"{error.strerror}: {str(error.filename)!r}"), options)
    except Exception as error:  # noqa: BLE001 - the last resort, which must not look like a verdict
        sys.stderr.write(f"reports: this is a bug, please report it: {error!r}\n{traceback.format_exc()}")
        return CRASH
    _say(text)
    return status


def _say(text: str) -> None:
    """Print to whoever still reads: the exit status is the verdict even when nobody does."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain again when it closes the broken stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(error: ReportError, options: argparse.Namespace) -> int:
    if isinstance(error, ConfigError):
        thresholds = getattr(options, "thresholds", None) or "thresholds.yaml"
        for fault in error.unquoted if getattr(options, "unquoted", False) else error.faults:
            sys.stderr.write(f"{thresholds}: {fault}\n")
    else:
        sys.stderr.write(f"reports: {error}\n")
    return BAD_CONFIGURATION


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports", description="Judge runs of load.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    judge = commands.add_parser(
        "judge", help="judge a run, write its views, exit with the verdict", allow_abbrev=False
    )
    judge.add_argument(
        "run", type=Path, metavar="RUN", help="a run directory or the prefix of `locust --csv`"
    )
    judge.add_argument(
        "--thresholds", type=Path, metavar="FILE", help="default: thresholds.yaml of the run directory"
    )
    steps = commands.add_parser(
        "steps", help="judge each step of a run, also while it goes on", allow_abbrev=False
    )
    steps.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    check = commands.add_parser("check", help="check thresholds without a run", allow_abbrev=False)
    check.add_argument("--thresholds", type=Path, metavar="FILE", required=True)
    check.add_argument(
        "--unquoted", action="store_true", help="say where a fault is without quoting the file, for strangers"
    )
    for option, what in (
        ("--name", "a request name of the run"),
        ("--metric", "a name or glob of the journeys' own metrics and checks"),
        ("--user", "a user class of the run"),
        ("--tag", "a tag or a glob of tags of the run"),
        ("--transaction", "a name or glob of the journeys' transactions"),
        ("--iteration", "a name of the journeys' iterations, USER_CLASS.TASK"),
    ):
        check.add_argument(option, action="append", default=[], metavar="NAME", help=f"{what}; repeatable")
    export = commands.add_parser("export", help="hand a run to other tools", allow_abbrev=False)
    export.add_argument("run", type=Path, metavar="RUN", help="a run directory with intervals.arrow")
    export.add_argument(
        "--hlog", type=Path, metavar="FILE", required=True, help="HdrHistogram interval log to write"
    )
    return parser
