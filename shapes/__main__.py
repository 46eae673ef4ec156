"""`python -m shapes` lists the loads, `python -m shapes NAME` draws one, at the scales of a run."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from plimsoll import ArrivalSchedule, Schedule
from plimsoll.loads.plot import plot, summary
from plimsoll.loads.schedule import ScheduleError, check_scales
from plimsoll.loads.scheduled_shape import PlannedShape
from plimsoll.run_files.exit_status import ExitStatus


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one load or all; return the exit status: 1 if that fails, 2 for a wrong load or scale."""
    shapes = find_shapes()
    parser = argparse.ArgumentParser(prog="python -m shapes", description="Show loads before they are run.")
    parser.add_argument(
        "name", nargs="?", choices=shapes, metavar="NAME", help="the load to draw; without, all"
    )
    parser.add_argument("--user-scale", type=float, default=1.0, metavar="NUMBER", help="as of a run")
    parser.add_argument("--time-scale", type=float, default=1.0, metavar="NUMBER", help="as of a run")
    options = parser.parse_args(arguments)
    chosen = {options.name: shapes[options.name]} if options.name else shapes
    try:
        loads = _loads_of(chosen, options.user_scale, options.time_scale)
    except ScheduleError as error:
        _say(sys.stderr, "".join(f"shapes: {fault}\n" for fault in str(error).splitlines()))
        return ExitStatus.BAD_CONFIGURATION
    # A terminal without block characters shows question marks instead of a traceback.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    width = max(map(len, loads))
    lines = [f"{name:<{width}}  {summary(load)}" for name, load in loads.items()]
    text = plot(options.name, loads[options.name]) if options.name else "\n".join(lines)
    try:
        _say(sys.stdout, f"{text}\n")
    except OSError as error:
        _say(sys.stderr, f"shapes: standard output cannot be written: {error.strerror}\n")
        # Python would try again at its exit, and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.CRASH
    return ExitStatus.PASS


def find_shapes() -> dict[str, PlannedShape[Any]]:
    """Return the shapes with a schedule, by the names of their files in this folder."""
    shapes: dict[str, PlannedShape[Any]] = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        for value in vars(importlib.import_module(f"shapes.{path.stem}")).values():
            if isinstance(value, type) and issubclass(value, PlannedShape) and not value.abstract:
                shapes[path.stem] = value()
    return shapes


def _loads_of(
    shapes: Mapping[str, PlannedShape[Any]], user_scale: float, time_scale: float
) -> dict[str, Schedule | ArrivalSchedule]:
    """Return the loads of these shapes at these scales.

    Raises:
        ScheduleError: with all faults of all of them.
    """
    check_scales(user_scale, time_scale)
    loads: dict[str, Schedule | ArrivalSchedule] = {}
    faults: list[str] = []
    for name, shape in shapes.items():
        try:
            loads[name] = shape.schedule.scaled(user_scale, time_scale)
        except ScheduleError as error:
            faults += [f"{name}: {fault}" for fault in str(error).splitlines()]
    if faults:
        raise ScheduleError("\n".join(faults))
    return loads


def _say(stream: TextIO | None, text: str) -> None:
    if stream is not None:  # it is when it was closed before Python began, as by `>&-`
        stream.write(text)
        stream.flush()


if __name__ == "__main__":
    sys.exit(main())
