"""The command `plimsoll`: `run` is Locust with recording and judging, every other command is of `reports`."""

import importlib
import sys
from argparse import ArgumentParser
from pathlib import Path

RUN = "plimsoll run"


def main() -> int:
    """Run the command of `sys.argv`; return or exit with its status."""
    # The one beside this package: a folder of the user with this name comes first with `PYTHONPATH=.`.
    folder = str(Path(__file__).resolve().parent.parent)
    sys.path.insert(0, folder)
    importlib.import_module("reports")
    sys.path.remove(folder)  # site-packages must not come before the standard library
    if sys.argv[1:2] == ["run"]:
        run_locust(sys.argv[2:])
    from reports.cli import command_line

    return command_line()


def run_locust(arguments: list[str]) -> None:
    """Do what `locust ARGUMENTS` does, with every run recorded and judged; exits with its status."""
    # Locust patches the process for gevent, which no other command wants.
    from locust import events
    from locust.main import main as locust

    from plimsoll.recording.plugin import record_run

    def name_command(parser: ArgumentParser, **_: object) -> None:
        parser.prog = RUN
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
