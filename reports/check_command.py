"""`python -m reports check`: refuse thresholds that could never be judged, before any load starts."""

import argparse

from reports.errors import ConfigError
from reports.thresholds import read_thresholds, validate


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Return 0 and no text for good thresholds; names are held against `--name` where any is given.

    Raises ConfigError with every fault.
    """
    thresholds = read_thresholds(options.thresholds)
    faults = validate(thresholds, options.name) if options.name else []
    if faults:
        raise ConfigError(faults)
    return 0, ""
