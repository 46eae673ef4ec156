"""Every profile, made small, against one bundled service: it ends with a verdict on data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from threading import Timer

from measured.measurement import Row, near
from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.run_files.files import RUN_FILE, VERDICT_FILE
from shapes.__main__ import find_shapes
from tests.fix_bundled_service import running_service
from tests.fix_runs import ROOT, Run, until
from tests.processes import finish, start_locust

PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.conf"))
LOAD_S = 10.0
LONG_LOADS_S = {"careers": 30.0, "pages": 20.0, "ramp": 20.0}
"""A learning session takes 20 s and more, whatever is scaled, and so do a browser and the pages it visits."""

FIRST_STEPS = ["--user-scale", "0.1", "--time-scale", "0.1"]
"""A search for the breakpoint cannot be made short as a whole; its first steps can."""

STOPPED_AFTER_S = 32.0
"""What goes on then is stopped by a signal, and judged too."""
START_LIMIT_S = 60.0
MOST_FAILED = 0.01
"""No journey is made to fail; a slow machine may let one run into a limit of its own."""

MOST_USERS = 100
MANY_USERS = {"ramp": 300}
"""It has a limit on the dashboard, which of twenty users one looks at in that time."""
MOST_ARRIVALS_PER_S = 50.0
UNIT_S = {"s": 1, "m": 60, "h": 3600}


def measure(folder: Path) -> list[Row]:
    """Run all of them, one after the other."""
    with running_service("--size", "small") as service:
        return [row for profile in PROFILES for row in _run(profile, service.url, folder / profile)]


def _run(profile: str, service_url: str, run_dir: Path) -> list[Row]:
    path = ROOT / "profiles" / f"{profile}.conf"
    options = ["--config", str(path), "-H", service_url, "--run-dir", str(run_dir), *_scale(path)]
    process = start_locust(options, ROOT)
    until(lambda: (run_dir / RUN_FILE).exists() or process.poll() is not None, START_LIMIT_S)

    def end_load() -> None:  # a load that has ended is being judged
        if json.loads((run_dir / RUN_FILE).read_text(encoding="utf-8"))["ended"] is None:
            process.terminate()

    stop = Timer(STOPPED_AFTER_S, end_load)
    stop.start()
    try:
        output = finish(process)
    finally:
        stop.cancel()
    verdict = Run(process.returncode, output, run_dir).read(VERDICT_FILE)
    limits, run = verdict["thresholds"], verdict["run"]
    return [
        near(
            f"{profile}: exit status, beside its verdict's",
            process.returncode,
            ExitStatus[verdict["verdict"]],
        ),
        near(f"{profile}: limits with data, of all", sum(bool(limit["n"]) for limit in limits), len(limits)),
        near(f"{profile}: failed requests", run["failures"], 0, slack=MOST_FAILED * run["requests"]),
    ]


def _scale(path: Path) -> list[str]:
    """Return the options that make a profile small enough, by the shape or the run time in its settings."""
    settings, profile = path.read_text(encoding="utf-8"), path.stem
    load_s, most_users = LONG_LOADS_S.get(profile, LOAD_S), MANY_USERS.get(profile, MOST_USERS)
    shape = re.search(r"shapes/(\w+)\.py", settings)
    if not shape:
        values = dict(re.findall(r"^([\w-]+) = (\w+)$", settings, re.MULTILINE))
        users, run_time = str(min(int(values["users"]), MOST_USERS)), values["run-time"]
        time_scale = load_s / (int(run_time[:-1]) * UNIT_S[run_time[-1]])
        # What is on a schedule of its own within the run, such as synthetic checks, follows the time scale.
        return ["-u", users, "-r", users, "-t", f"{load_s:.0f}s", "--time-scale", f"{time_scale:.6g}"]
    if shape[1] == "breakpoint":
        return FIRST_STEPS
    load = find_shapes()[shape[1]].schedule
    if isinstance(load, ArrivalSchedule):
        user_scale = MOST_ARRIVALS_PER_S / load.peak_rate
    else:
        user_scale = most_users / load.peak_users
    scales = {"--user-scale": user_scale, "--time-scale": load_s / load.duration_s}
    return [word for option, number in scales.items() for word in (option, f"{min(1.0, number):.6g}")]
