"""`python -m shapes` lists the loads, `python -m shapes NAME` draws one, at the scales of a run."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence

from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.loads.plot import plot, summary
from plimsoll.loads.schedule import Schedule, ScheduleError
from shapes.loads import LOADS

BAD_ARGUMENTS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was asked for and return the exit status: 2 for a load or a scale that cannot be."""
    options = _parser().parse_args(arguments)
    try:
        loads = {name: load.scaled(options.user_scale, options.time_scale) for name, load in LOADS.items()}
    except ScheduleError as error:
        sys.stderr.write("".join(f"shapes: {fault}\n" for fault in str(error).splitlines()))
        return BAD_ARGUMENTS
    # Whoever reads this on a terminal that knows no blocks shall see question marks, and no traceback.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    text = plot(options.name, loads[options.name]) if options.name else _listing(loads)
    sys.stdout.write(f"{text}\n")
    return 0


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
