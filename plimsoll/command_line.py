"""The command `plimsoll`: `run` is Locust with recording and judging, every other command is of `reports`."""

import sys


def main() -> int:
    """Run the command of `sys.argv`; return or exit with its status."""
    if sys.argv[1:2] == ["run"]:
        run_locust(sys.argv[2:])
    from reports.cli import command_line

    return command_line()


def run_locust(arguments: list[str]) -> None:
    """Do what `locust ARGUMENTS` does, with every run recorded and judged; exits with its status."""
    # Locust patches the process for gevent, which no other command wants.
    from locust.main import main as locust

    from telemetry.switch import record_run

    record_run()
    sys.argv[1:] = arguments
    locust()
