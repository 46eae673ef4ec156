"""`plimsoll check`: refuse thresholds that could never be judged, before any load starts."""

import argparse
import json

from reports.thresholds.reading import Known, as_yaml, limits_ms, read_thresholds


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Return 0 for good thresholds, and a line of JSON that says what a recorder should count.

    With `--masked` it is a thresholds file instead, the same one without its secrets.

    Selectors are held against `--name` and the other options of names where any `--name` is given.

    Raises ConfigError with every fault.
    """
    known = Known(
        options.name, options.metric, options.user, options.tag, options.transaction, options.iteration
    )
    thresholds = read_thresholds(options.thresholds, known if options.name else None)
    if options.masked:
        return 0, as_yaml(thresholds)
    return 0, json.dumps({"thresholds": len(thresholds), "limits_ms": limits_ms(thresholds)}) + "\n"
