"""`plimsoll export`: hand what was recorded to other tools."""

import argparse

from plimsoll.run_files.files import INTERVALS_FILE
from reports.commands.hdr_log import hdr_log
from reports.errors import DataError
from reports.files import replaced
from reports.load.run_files import load, locate


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Write the successes of a run as an HdrHistogram interval log; return 0 and where it is.

    Raises DataError where the run has no intervals.
    """
    found = load(locate(options.run))
    if not found.intervals:
        raise DataError(f"no {INTERVALS_FILE} to export in {str(options.run)!r}: {'; '.join(found.warnings)}")
    with replaced(options.hlog) as temporary, temporary.open("w", encoding="utf-8") as log:
        log.writelines(hdr_log(found.intervals, found.started_unix_s))
    return 0, f"{options.hlog}\n"
