"""`plimsoll judge`: load a run, reach the verdict, write it and its report."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from reports.console import say, shortened
from reports.files import replaced
from reports.load.run import Run
from reports.load.run_files import Place, load, locate
from reports.outcome import EXIT_STATUS, Outcome
from reports.render.html import write_report
from reports.render.terminal import terminal_text
from reports.thresholds.reading import Threshold, read_thresholds
from reports.verdict.verdict import reach_verdict

VERDICT_FILE = "verdict.json"
REPORT_FILE = "report.html"


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Judge the run named by `options`, write verdict.json and report.html, return exit status and summary.

    Raises ConfigError for bad thresholds, DataError where there is no run.
    """
    place = locate(options.run)
    thresholds = _thresholds(place, options.thresholds)
    judged = load(place)
    verdict = reach_verdict(judged, thresholds)
    report = _write(place, judged, verdict)
    for warning in judged.warnings:
        say(sys.stderr, f"note: {shortened(warning)}\n")
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = f"{terminal_text(verdict, colour=colour).rstrip()}\n\nreport: {report}\n"
    return EXIT_STATUS[Outcome(verdict["verdict"])], text


def _thresholds(place: Place, named: Path | None) -> list[Threshold]:
    """Return the thresholds of the named file, else of the run directory, else none."""
    if named is not None:
        return read_thresholds(named)
    own = place.folder / "thresholds.yaml"
    return read_thresholds(own) if place.is_run_directory and own.exists() else []


def _write(place: Place, judged: Run, verdict: dict[str, Any]) -> Path:
    report = place.view(REPORT_FILE)
    with replaced(place.view(VERDICT_FILE)) as temporary:
        temporary.write_text(json.dumps(verdict, indent=1, allow_nan=False), "utf-8")
    with replaced(report) as temporary:
        write_report(judged, verdict, temporary)
    return report
