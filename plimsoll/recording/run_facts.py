"""What is known about a run before and after it: the content of run.json."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plimsoll.run_files.files import RUN_TIME_REACHED, SCHEDULE_ENDED

_PACKAGES = (
    "plimsoll",
    "locust",
    "gevent",
    "geventhttpclient",
    "psycopg",
    "pandas",
    "numpy",
    "scipy",
    "jinja2",
)


def timestamp(moment: datetime) -> str:
    """Return *moment* in UTC as ISO 8601 with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide what a run measures."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


@cache
def git_commit(folder: Path) -> str | None:
    """Return the commit that *folder* is at, with `-dirty` where files differ; None without git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def environment_fingerprint(sut_version: str | None) -> dict[str, object]:
    """Return what must be equal for two runs to be comparable."""
    return {
        "cpu_model": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "sut_version": sut_version,
    }


def end_reason(
    *, received_signal: str | None, schedule_ended: bool, elapsed_s: float, run_time_s: float | None
) -> str:
    """Return why the run ended, in the words of run.json."""
    if received_signal:
        return received_signal
    if schedule_ended:
        return SCHEDULE_ENDED
    if run_time_s and elapsed_s >= run_time_s - 1:
        return RUN_TIME_REACHED
    return "stopped"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
