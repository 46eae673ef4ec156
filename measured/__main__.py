"""Measure the suite on a real clock: `python -m measured [NAME…]` prints a table and gates nothing.

A measurement that is off on a machine that was disturbed meanwhile is repeated, up to two times. The figures,
and how late the machine itself was, are written to results/measured-<UTC>.json. The exit status is 1 where a
measurement crashed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measured import judging, open_model, precision, profiles
from measured.bundled_service import measure_batching, measure_classroom, measure_demos
from measured.loads import measure_arrivals, measure_breakpoint, measure_shapes
from measured.measurement import Lateness, Measure, Row, Sleeper
from measured.overload import measure_overload, measure_starved

MEASUREMENTS: dict[str, Measure] = {
    "precision": precision.measure,
    "arrivals": measure_arrivals,
    "open_model": open_model.measure,
    "overload": measure_overload,
    "shapes": measure_shapes,
    "breakpoint": measure_breakpoint,
    "starved": measure_starved,
    "batching": measure_batching,
    "classroom": measure_classroom,
    "demos": measure_demos,
    "profiles": profiles.measure,
    "judging": judging.measure,
}
MOST_TRIES = 3
ERROR_LINES = 15
"""What is printed of an error: the last lines of a process that failed are its end."""
RESULTS = Path("results")
LINE = "{:<58} {:>11} {:>11} {:>7}  {}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write down; return 1 where a measurement crashed, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m measured", description="Measure the suite on a real clock."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MEASUREMENTS)}")
    names = parser.parse_args(arguments).names or list(MEASUREMENTS)
    if unknown := sorted(set(names) - MEASUREMENTS.keys()):
        parser.error(f"no such measurement: {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    started = datetime.now(UTC)
    sys.stdout.write(LINE.format("", "measured", "expected", "ratio", ""))
    found = [_measure_calmly(name) for name in names]
    path = RESULTS / f"measured-{started:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    result = {"started": f"{started:%Y-%m-%dT%H:%M:%SZ}", "machine": machine, "measurements": found}
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    sys.stdout.write(f"\n{path}\n")
    return int(any(each["error"] for each in found))


def _measure_calmly(name: str) -> dict[str, Any]:
    """Measure, and again where the machine was disturbed and a figure is off; print it, and return it."""
    for attempt in range(1, MOST_TRIES + 1):
        began_s, sleeper = time.monotonic(), Sleeper()
        rows, error = [], None
        with tempfile.TemporaryDirectory(prefix="measured-") as folder:
            try:
                rows = MEASUREMENTS[name](Path(folder))
            except Exception:  # noqa: BLE001 - the others are measured all the same
                error = traceback.format_exc()
        lateness, took_s = sleeper.end(), time.monotonic() - began_s
        _print(name, rows, error, lateness, took_s)
        is_spoiled = lateness.was_disturbed and not (error or all(row.is_within for row in rows))
        if not is_spoiled:
            break
        is_last = attempt == MOST_TRIES
        sys.stdout.write(f"  {name}: spoiled by a disturbed machine{'' if is_last else '; measured again'}\n")
    return {
        "name": name,
        "tries": attempt,
        "is_spoiled": is_spoiled,
        "took_s": round(took_s, 1),
        "lateness": {**lateness._asdict(), "was_disturbed": lateness.was_disturbed},
        "rows": [{**row._asdict(), "ratio": row.ratio, "is_within": row.is_within} for row in rows],
        "error": error,
    }


def _print(name: str, rows: list[Row], error: str | None, lateness: Lateness, took_s: float) -> None:
    disturbed = ", disturbed" if lateness.was_disturbed else ""
    sys.stdout.write(
        f"\n{name}, {took_s:.0f} s; the machine was late by {lateness.p50_ms:.2f} ms (p50),"
        f" {lateness.p99_ms:.1f} (p99), {lateness.max_ms:.0f} (max); its host took"
        f" {100 * lateness.steal_ratio:.1f} %{disturbed}\n"
    )
    for row in rows:
        ratio = "–" if row.ratio is None else f"{row.ratio:.4f}"
        value, expected = (f"{figure:,.6g}" for figure in (row.value, row.expected))
        what, off = f"  {row.what}{row.unit and f', {row.unit}'}", "" if row.is_within else "off"
        sys.stdout.write(LINE.format(what, value, expected, ratio, off))
    if error:
        last_lines = "\n    ".join(error.splitlines()[-ERROR_LINES:])
        sys.stdout.write(f"  crashed:\n    {last_lines}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
