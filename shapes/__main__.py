"""`python -m shapes` lists the loads, `python -m shapes NAME` draws one, at the scales of a run."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.loads.plot import plot, summary
from plimsoll.loads.schedule import Schedule, ScheduleError
from shapes.loads import LOADS

CANNOT_PRINT = 1
BAD_ARGUMENTS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one load or all; return the exit status: 1 if that fails, 2 for a wrong load or scale."""
    options = _parser().parse_args(arguments)
    try:
        loads = {name: load.scaled(options.user_scale, options.time_scale) for name, load in LOADS.items()}
    except ScheduleError as error:
        _say(sys.stderr, "".join(f"shapes: {fault}\n" for fault in str(error).splitlines()))
        return BAD_ARGUMENTS
    # A terminal without block characters shows question marks instead of a traceback.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    text = plot(options.name, loads[options.name]) if options.name else _listing(loads)
    try:
        _say(sys.stdout, f"{text}\n")
    except OSError as error:
        _say(sys.stderr, f"shapes: standard output cannot be written: {error.strerror}\n")
        # Python would try again at its exit, and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_PRINT
    return 0


def _say(stream: TextIO | None, text: str) -> None:
    if stream is not None:  # it is when it was closed before Python began, as by `>&-`
        stream.write(text)
        stream.flush()


def _listing(loads: Mapping[str, Schedule | ArrivalSchedule]) -> str:
    width = max(map(len, loads))
    return "\n".join(f"{name:<{width}}  {summary(load)}" for name, load in loads.items())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shapes", description="Show loads before they are run.")
    parser.add_argument(
        "name", nargs="?", choices=LOADS, metavar="NAME", help="the load to draw; without, all"
    )
    parser.add_argument("--user-scale", type=float, default=1.0, metavar="NUMBER", help="as of a run")
    parser.add_argument("--time-scale", type=float, default=1.0, metavar="NUMBER", help="as of a run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
