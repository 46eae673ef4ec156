"""`plimsoll steps`: judge the steps of a run, of one that goes on those that are over."""

import argparse
import json

from plimsoll.run_files.files import THRESHOLDS_FILE
from reports.load.run_files import load, locate
from reports.thresholds.reading import read_thresholds
from reports.verdict.capacity import find_capacity


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Return 0 and a line of JSON that maps the name of each step to its verdict.

    Raises ConfigError for bad thresholds, DataError where there is no run.
    """
    place = locate(options.run)
    capacity = find_capacity(load(place), read_thresholds(place.folder / THRESHOLDS_FILE))
    steps = capacity.steps if capacity is not None else ()
    return 0, json.dumps({step.stage: step.outcome.value for step in steps}) + "\n"
