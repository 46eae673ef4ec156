"""`plimsoll judge` judges a run and writes its views; `plimsoll steps` judges the steps that are over."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from plimsoll.run_files.exit_status import ExitStatus, Outcome
from plimsoll.run_files.files import (
    JUNIT_FILE,
    REPORT_FILE,
    SUMMARY_FILE,
    THRESHOLDS_FILE,
    VERDICT_FILE,
    VIEW_FILES,
    threshold_files,
)
from reports.errors import ConfigError, Fault, ReportError
from reports.files import replaced, say, shortened
from reports.load.run import Run
from reports.load.run_files import Place, load, locate
from reports.render.ci import annotations, junit_xml, summary
from reports.render.html import write_report
from reports.render.terminal import terminal_text
from reports.thresholds.entries import Threshold
from reports.thresholds.reading import read_thresholds
from reports.verdict.capacity import find_capacity
from reports.verdict.checks import Check
from reports.verdict.trust import Reason
from reports.verdict.verdict import reach_verdict

UNDECIDED = ("skipped", "error")
"""What junit.xml may say of what is INCONCLUSIVE, the default first."""


def judge(options: argparse.Namespace) -> tuple[int, str]:
    """Judge the run named by `options`, write verdict.json and its views, return exit status and summary.

    In GitHub Actions the summary of the step and its annotations are given, too.

    Raises ConfigError for bad thresholds, DataError where there is no run.
    """
    place = locate(options.run)
    inconclusive = options.inconclusive or os.environ.get("PLIMSOLL_INCONCLUSIVE") or UNDECIDED[0]
    if inconclusive not in UNDECIDED:
        raise ReportError(f"PLIMSOLL_INCONCLUSIVE is {inconclusive!r}, valid are {' and '.join(UNDECIDED)}")
    with _earlier_views_aside(place):
        own = place.folder / THRESHOLDS_FILE
        named = threshold_files(options.thresholds or [])
        if options.thresholds is None and place.is_run_directory and own.exists():
            named = [own]
        thresholds = read_thresholds(named)
        judged = load(place, with_thresholds=options.thresholds is None)
        judged = replace(judged, earlier=_earlier_runs(thresholds, options.baseline))
        if options.thresholds is not None and judged.meta.aborted_by is not None:
            named_sources = {each.statement.source.strip() for each in thresholds}
            if judged.meta.aborted_by.source not in named_sources:  # it is no limit of this judging
                judged = replace(judged, meta=replace(judged.meta, aborted_by=None))
        verdict = reach_verdict(judged, thresholds)
        fault = _write(place, judged, verdict, inconclusive)
    if fault:
        # No pass, as the reader cannot look it up.
        check = Check("verdict_written", 0.0, 1.0, ok=False, reason=fault)
        if verdict["verdict"] == Outcome.PASS:
            verdict["verdict"] = Outcome.INCONCLUSIVE.value
        verdict["reasons"].append(Reason("check", check.check, fault).facts)
        verdict["validity"].append(check.facts)
    for warning in judged.warnings:
        say(sys.stderr, f"note: {shortened(warning)}\n")
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    report = "" if fault else f"\nreport: {place.view(REPORT_FILE)}\n"
    text = f"{terminal_text(verdict, colour=colour).rstrip()}\n{report}"
    return ExitStatus[verdict["verdict"]], text + _to_github(verdict, os.environ)


def _to_github(verdict: dict[str, Any], environment: Mapping[str, str]) -> str:
    """Append the summary to that of the step, if there is one; return the annotations for its output."""
    if step_summary := environment.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(step_summary).open("a", encoding="utf-8") as file:
                file.write(summary(verdict) + "\n")
        except OSError as error:
            said = error.strerror or error
            say(sys.stderr, f"note: GITHUB_STEP_SUMMARY {step_summary!r} cannot take the summary: {said}\n")
    if environment.get("GITHUB_ACTIONS") != "true":
        return ""
    return "".join(f"{line}\n" for line in annotations(verdict))


def _earlier_runs(thresholds: Sequence[Threshold], default: str | None) -> dict[str, Run]:
    """Return the runs that the limits of thresholds are set by, under the names that they have there.

    Raises ConfigError for each that cannot be read.
    """
    found: dict[str, Run] = {}
    faults: list[Fault | str] = []
    for baseline in {each.statement.baseline for each in thresholds} - {None}:
        assert baseline is not None
        path = baseline.name or default
        if not path:
            continue
        try:
            found[baseline.name] = load(locate(Path(path)))
        except ReportError as error:
            faults.append(f"baseline {path!r}: {error}")
    if faults:
        raise ConfigError(faults)
    return found


@contextmanager
def _earlier_views_aside(place: Place) -> Iterator[None]:
    """Take the verdict and the views of an earlier judging away while the run is judged again.

    A judging that is killed or crashes leaves no verdict. One that cannot begin puts the earlier one back.
    """
    aside = {}
    for view in map(place.view, (VERDICT_FILE, *VIEW_FILES)):
        hidden = view.with_name(f".{view.name}.earlier")
        with suppress(OSError):  # nothing can be written here, which `_write` says
            if view.is_file():
                aside[view] = view.replace(hidden)
    try:
        yield
    except (ReportError, OSError):
        for view, hidden in aside.items():
            hidden.replace(view)
        if aside:
            names = ", ".join(view.name for view in aside)
            say(sys.stderr, f"note: the run was not judged; left from an earlier judging: {names}\n")
        raise
    finally:
        for hidden in aside.values():
            hidden.unlink(missing_ok=True)


def _write(place: Place, judged: Run, verdict: dict[str, Any], inconclusive: str) -> str:
    """Write the views, and then the verdict; return which of them could not be written and why, if any."""
    views, file = [place.view(name) for name in VIEW_FILES], place.view(VERDICT_FILE)
    try:
        with replaced(place.view(REPORT_FILE)) as temporary:
            write_report(judged, verdict, temporary)
        with replaced(place.view(JUNIT_FILE)) as temporary:
            temporary.write_bytes(junit_xml(verdict, inconclusive))
        with replaced(place.view(SUMMARY_FILE)) as temporary:
            temporary.write_text(summary(verdict), "utf-8")
        with replaced(file) as temporary:
            temporary.write_text(json.dumps(verdict, indent=1, allow_nan=False), "utf-8")
    except OSError as error:
        for view in views:
            with suppress(OSError):
                view.unlink(missing_ok=True)  # no verdict stands behind it
        return f"{str(file.parent)!r} cannot take {views[0].name} and {file.name}: {error.strerror or error}"
    return ""


def steps(options: argparse.Namespace) -> tuple[int, str]:
    """Return 0 and a line of JSON that maps the name of each step that is over to its verdict.

    Raises ConfigError for bad thresholds, DataError where there is no run.
    """
    place = locate(options.run)
    capacity = find_capacity(load(place), read_thresholds(place.folder / THRESHOLDS_FILE))
    found = capacity.steps if capacity is not None else ()
    return 0, json.dumps({step.stage: step.outcome.value for step in found}) + "\n"
