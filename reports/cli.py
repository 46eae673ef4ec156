"""The command line: `plimsoll judge RUN`, `steps RUN`, `check --thresholds FILE`, `export RUN …`.

The module of a command is imported when it is called, so that `check` does not wait for pandas.
"""

import argparse
import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from plimsoll.redact import redact
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.run_files.files import INTERVALS_FILE, THRESHOLDS_FILE, threshold_files
from reports.errors import ConfigError, ReportError
from reports.files import open_closed_streams, say, shortened
from reports.thresholds.known import Known
from reports.thresholds.reading import MAX_BYTES, MAX_STATEMENTS, as_yaml, limits_ms, read_thresholds
from reports.thresholds.selectors import ALL

Command = Callable[[argparse.Namespace], tuple[int, str]]
"""Returns the exit status and the text for stdout."""

COMMANDS = {
    "judge": "reports.judging",
    "steps": "reports.judging",
    "watch": "reports.watching",
    "check": "reports.cli",
    "export": "reports.export",
    "convert": "reports.convert.command",
}
"""The module of each command, in which a function has its name."""


def command_line() -> int:
    """Run the command of `sys.argv` on whatever standard streams there are; return its exit status."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names and error texts hold anything; a console that cannot show it all is no reason to crash.
            stream.reconfigure(errors="backslashreplace")
    try:
        return main()
    finally:
        say(sys.stdout, "")  # what argparse has printed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status, an `ExitStatus`."""
    options = _parser().parse_args(arguments)
    # numpy reads it when imported: on a judge's small matrices a second thread costs more than it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        # Only the words of COMMANDS get here: argparse refuses all others.
        module = importlib.import_module(COMMANDS[options.command])
        command = cast("Command", getattr(module, options.command))
        status, text = command(options)
    except ReportError as error:
        return _refuse(error, options)
    except OSError as error:
        where = error.filename2 or error.filename
        what = error.strerror or str(error)
        return _refuse(ReportError(f"{what}: {str(where)!r}" if where else what), options)
    except KeyboardInterrupt:
        say(sys.stderr, "plimsoll: interrupted before there was a result\n")
        return ExitStatus.INCONCLUSIVE
    except Exception as error:  # noqa: BLE001 - the last resort, which must not look like a verdict
        fault = shortened(f"plimsoll: this is a bug, please report it: {error!r}")
        say(sys.stderr, f"{fault}\n{traceback.format_exc()}")
        return ExitStatus.CRASH
    say(sys.stdout, text)
    return status


def check(options: argparse.Namespace) -> tuple[int, str]:
    """Refuse thresholds that could never be judged, before any load starts.

    Selectors are held against `--name` and the other options of names where any `--name` is given, stages
    against `--stage` where any is, or `--no-stages`. Return 0
    for good thresholds, and a line of JSON that says what a recorder should count; with `--masked` the same
    thresholds file without its secrets.

    Raises ConfigError with every fault.
    """
    known = Known(
        options.name or None,
        options.metric,
        options.user,
        options.tag,
        options.transaction,
        options.iteration,
        () if options.no_stages else options.stage or (ALL,),
    )
    files = threshold_files(options.thresholds)
    if not files:
        raise ConfigError([f"--thresholds names no file, got {', '.join(map(repr, options.thresholds))}"])
    thresholds = read_thresholds(files, known)
    # A run keeps several files as one, which is read by the same bounds.
    if len(files) > 1 and (len(thresholds) > MAX_STATEMENTS or len(as_yaml(thresholds).encode()) > MAX_BYTES):
        bounds = f"at most {MAX_STATEMENTS:,} and {MAX_BYTES:,} bytes are allowed"
        raise ConfigError([f"the files have {len(thresholds):,} statements together, {bounds}"])
    if options.masked:
        return 0, as_yaml(thresholds)
    said: dict[str, object] = {"thresholds": len(thresholds), "limits_ms": limits_ms(thresholds)}
    said["can_abort"] = any(each.abort for each in thresholds)
    if options.planned:
        outlook = importlib.import_module("reports.planning.decidable").outlook
        said |= outlook(json.loads(options.planned.read_text("utf-8")), thresholds)
    return 0, json.dumps(said) + "\n"


def _refuse(error: ReportError, options: argparse.Namespace) -> int:
    if isinstance(error, ConfigError):
        given = getattr(options, "thresholds", None) or [str(getattr(options, "file", THRESHOLDS_FILE))]
        files = threshold_files(given)
        faults = error.unquoted if getattr(options, "unquoted", False) else error.faults
        # Of several files each fault names its own.
        lines = [f"{files[0]}: {fault}" if len(files) == 1 else fault for fault in faults]
        if options.command == "judge" and options.thresholds is None:
            lines.append("plimsoll: the run can be judged by other thresholds: --thresholds FILE")
    else:
        lines = [f"plimsoll: {error}"]
    say(sys.stderr, "".join(f"{shortened(redact(line))}\n" for line in lines))
    return ExitStatus.BAD_CONFIGURATION


def _parser() -> argparse.ArgumentParser:
    prog = "plimsoll" if Path(sys.argv[0]).stem == "plimsoll" else "python -m reports"
    parser = argparse.ArgumentParser(prog=prog, description="Judge runs of load.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    if prog == "plimsoll":  # which does this itself: see `plimsoll.command_line`
        commands.add_parser("run", help="run Locust with its own options, and record and judge the run")
        commands.add_parser("advise", help="say what would make the database of a run faster")
        commands.add_parser("branches", help="list or drop the databases that runs have left over")
    _add_judge(commands)
    steps = commands.add_parser(
        "steps", help="judge each step of a run, also while it goes on", allow_abbrev=False
    )
    steps.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    watch = commands.add_parser(
        "watch",
        help="say how the limits of a run stand whose batches come from standard input",
        allow_abbrev=False,
    )
    watch.add_argument("run", type=Path, metavar="RUN", help="its run directory")
    _add_check(commands, prog)
    export = commands.add_parser("export", help="hand a run to other tools", allow_abbrev=False)
    export.add_argument("run", type=Path, metavar="RUN", help=f"a run directory with {INTERVALS_FILE}")
    export.add_argument(
        "--hlog", type=Path, metavar="FILE", required=True, help="HdrHistogram interval log to write"
    )
    convert = commands.add_parser(
        "convert", help="write the thresholds of another tool as a thresholds file", allow_abbrev=False
    )
    convert.add_argument("file", type=Path, metavar="FILE", help="options, script or report of that tool")
    convert.add_argument(
        "--from",
        dest="tool",
        choices=("k6", "taurus", "artillery", "gatling"),
        help="default: told by the file",
    )
    convert.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    return parser


def _add_judge(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    judge = commands.add_parser(
        "judge", help="judge a run, write its views, exit with the verdict", allow_abbrev=False
    )
    judge.add_argument(
        "run", type=Path, metavar="RUN", help="a run directory or the prefix of `locust --csv`"
    )
    judge.add_argument(
        "--thresholds",
        action="append",
        metavar="FILE",
        help=f"repeatable; default: {THRESHOLDS_FILE} of the run directory",
    )
    judge.add_argument(
        "--baseline",
        metavar="RUN",
        default=os.environ.get("PLIMSOLL_BASELINE"),
        help="the earlier run that limits such as 'baseline + 10%%' are set by (default: PLIMSOLL_BASELINE)",
    )
    judge.add_argument(
        "--inconclusive",
        choices=("skipped", "error"),
        help="what junit.xml says of an undecided limit (default: PLIMSOLL_INCONCLUSIVE or skipped)",
    )


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", prog: str) -> None:
    checked = commands.add_parser(
        "check",
        help="check thresholds without a run, those of --profile against its load",
        allow_abbrev=False,
    )
    checked.add_argument("--thresholds", action="append", metavar="FILE", required=True, help="repeatable")
    if prog == "plimsoll":  # which does this itself, too
        checked.add_argument(
            "--profile", metavar="NAME|FILE", help="say what its load decides, with other options of Locust"
        )
    checked.add_argument(
        "--planned",
        type=Path,
        metavar="FILE",
        help="the plan of a load in JSON: say which thresholds its samples cannot decide",
    )
    checked.add_argument(
        "--unquoted", action="store_true", help="say where a fault is without quoting the file, for strangers"
    )
    checked.add_argument(
        "--masked", action="store_true", help="print the thresholds as YAML, with secrets masked, to be kept"
    )
    for option, what in (
        ("--name", "a request name of the run"),
        ("--metric", "a name or glob of the journeys' own metrics and checks"),
        ("--user", "a user class of the run"),
        ("--tag", "a tag or a glob of tags of the run"),
        ("--transaction", "a name or glob of the journeys' transactions"),
        ("--iteration", "a name of the journeys' iterations, USER_CLASS.TASK"),
        ("--stage", "a stage of the run's shape"),
    ):
        checked.add_argument(option, action="append", default=[], metavar="NAME", help=f"{what}; repeatable")
    checked.add_argument("--no-stages", action="store_true", help="the run has no stages")
