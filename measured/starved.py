"""A generator without a core of its own: it is named, and the service is not blamed for its delays."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import psutil

from measured.measurement import Row, near
from plimsoll.run_files.files import VERDICT_FILE
from tests.fix_runs import Run, Runner
from tests.fix_service import LOCUSTFILE
from tests.http_service import Shop
from tests.processes import finish

INCONCLUSIVE = 77
SPINNERS = 6


def measure(folder: Path) -> list[Row]:
    """Run on a core that has more work than Locust can push aside."""
    core = sorted(os.sched_getaffinity(0))[-1]
    locustfile = folder / "visitor.py"
    locustfile.write_text(LOCUSTFILE, encoding="utf-8")
    with ExitStack() as stack:
        service = stack.enter_context(closing(Shop()))
        for _ in range(SPINNERS):
            spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(spinner.wait)
            stack.callback(spinner.kill)
            psutil.Process(spinner.pid).cpu_affinity([core])
        limits = "thresholds:\n  - p99 < 3 ms\n"
        process, directory = Runner(locustfile, folder).start(
            "-t", "15s", "-H", service.url, thresholds=limits
        )
        psutil.Process(process.pid).cpu_affinity([core])
        run = Run(0, finish(process), directory)
    verdict = run.read(VERDICT_FILE)
    named = [
        check["check"]
        for check in verdict["validity"]
        if check["check"].startswith("generator_") and not check["ok"]
    ]
    # Starved but a little it fails no check; then the threshold says whose lateness that may be.
    is_named = bool(named) or "event-loop lag" in verdict["thresholds"][0]["reason"]
    return [
        near("exit status", process.returncode, INCONCLUSIVE),
        near("the generator is named", int(is_named), 1),
    ]
