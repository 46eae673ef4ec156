"""The command `plimsoll`: `run` is Locust with recording and judging, `advise` is of `plimsoll.advice`.

Every other command is of `reports`.
"""

import importlib
import os
import sys
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path

from plimsoll.redact import redact
from plimsoll.run_files.exit_status import ExitStatus

RUN, CHECK = "plimsoll run", "plimsoll check"


def main() -> int:
    """Run the command of `sys.argv`; return or exit with its status."""
    # The one beside this package: a folder of the user with this name comes first with `PYTHONPATH=.`.
    folder = str(Path(__file__).resolve().parent.parent)
    sys.path.insert(0, folder)
    importlib.import_module("reports")
    sys.path.remove(folder)  # site-packages must not come before the standard library
    if sys.argv[1:2] == ["run"]:
        run_locust(sys.argv[2:])
    if sys.argv[1:2] == ["check"] and any(each.split("=")[0] == "--profile" for each in sys.argv[2:]):
        check_profile(sys.argv[2:])
    if sys.argv[1:2] == ["advise"]:
        return advise_run(sys.argv[2:])
    if sys.argv[1:2] == ["branches"]:
        return list_branches(sys.argv[2:])
    from reports.cli import command_line

    return command_line()


def check_profile(arguments: list[str]) -> None:
    """Say what the thresholds of a profile will be decided on by its load, of which none is made.

    `--profile` names a Locust config file, or one of `profiles/`; any other option is one of Locust, which
    changes the load. Exits with 0, or with 2 for a fault.
    """
    parser = ArgumentParser(prog=CHECK, allow_abbrev=False)
    parser.add_argument("--profile", metavar="NAME|FILE", required=True)
    options, others = parser.parse_known_args(arguments)
    named = Path(options.profile)
    config = named if named.is_file() else Path("profiles", f"{named}.conf")
    if not config.is_file():
        parser.error(f"--profile: there is neither a file {str(named)!r} nor one {str(config)!r}")
    # No host is asked anything, but a run would be refused without one; nor is there any load to share.
    alone = ["--headless", "-H", "http://127.0.0.1", "--processes", "0"]
    run_locust(["--config", str(config), *others, *alone], check_only=True)


def list_branches(arguments: list[str]) -> int:
    """List the databases that runs have left over on a server, or drop those; return the exit status."""
    import psycopg

    from plimsoll.branches import leftovers, remove, url_faults
    from reports.files import say

    parser = ArgumentParser(prog="plimsoll branches", allow_abbrev=False, description=list_branches.__doc__)
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"), metavar="URL")
    parser.add_argument("--remove", action="store_true", help="drop those that are older than --older-than")
    parser.add_argument("--older-than", type=float, default=24.0, metavar="HOURS", help="default: 24")
    options = parser.parse_args(arguments)
    if not options.database_url:
        parser.error("no database: give --database-url, or set DATABASE_URL")
    if faults := url_faults(options.database_url, "--database-url"):
        parser.error(faults[0])
    try:
        if options.remove:
            found = remove(options.database_url, timedelta(hours=options.older_than))
        else:
            found = leftovers(options.database_url)
    except psycopg.Error as error:
        say(sys.stderr, f"plimsoll: the server cannot be asked: {redact(str(error)).strip()}\n")
        return ExitStatus.BAD_CONFIGURATION
    what = "removed" if options.remove else "left over"
    lines = [
        f"{each.name}  {each.made:%Y-%m-%d %H:%M} UTC  {each.size_bytes / 2**20:,.0f} MB" for each in found
    ]
    say(sys.stdout, "".join(f"{line}\n" for line in [*lines, f"{len(found)} {what}"]))
    return ExitStatus.PASS


def advise_run(arguments: list[str]) -> int:
    """Say what would make the database of a run faster; return the exit status."""
    from reports.files import say

    try:
        from plimsoll.advice.command import command
    except ModuleNotFoundError as error:
        say(sys.stderr, f"plimsoll: {error}; pip install 'plimsoll[advice]'\n")
        return ExitStatus.BAD_CONFIGURATION
    try:
        status, text = command(arguments)
    except KeyboardInterrupt:
        status, text = ExitStatus.INCONCLUSIVE, "plimsoll: interrupted before there was advice\n"
    say(sys.stdout if status == ExitStatus.PASS else sys.stderr, text)
    return status


def run_locust(arguments: list[str], *, check_only: bool = False) -> None:
    """Do what `locust ARGUMENTS` does, with every run recorded and judged; exits with its status.

    With *check_only* only what its thresholds will be decided on is printed.
    """
    # Locust patches the process for gevent, which no other command wants.
    from locust import events
    from locust.main import main as locust

    from plimsoll.recording.options import CHECK_ONLY_OPTION
    from plimsoll.recording.plugin import record_run

    def name_command(parser: ArgumentParser, **_: object) -> None:
        parser.set_defaults(**{CHECK_ONLY_OPTION: check_only})
        parser.prog = CHECK if check_only else RUN
        parser.description = (parser.description or "").replace("Usage: locust", f"Usage: {RUN}")
        parser.epilog = (parser.epilog or "").replace("\n    locust ", f"\n    {RUN} ")

    events.init_command_line_parser.add_listener(name_command)
    record_run()
    sys.argv[1:] = arguments
    try:
        locust()
    except SystemExit as end:
        if end.code:  # as of a missing locustfile or a wrong option: it is not green, and stays as it is
            sys.last_value = end
        raise
