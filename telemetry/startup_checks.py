"""Refuse, before any load, a run that could only end in a misleading result."""

from __future__ import annotations

from locust import HttpUser, User
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from telemetry.judging import check_thresholds
from telemetry.options import declare_limits_ms, options_of
from telemetry.recording import known_request_names
from telemetry.redact import redact


def startup_faults(environment: Environment) -> list[str]:
    """Return everything that is wrong with the options of this process, one fault a line."""
    options = options_of(environment)
    return [
        *_shape_faults(environment),
        *_host_faults(environment),
        *_run_directory_faults(options.run_dir),
        *thresholds_faults(environment, environment.user_classes, options.thresholds),
    ]


def thresholds_faults(
    environment: Environment, user_classes: Iterable[type[User]], thresholds: str | None
) -> list[str]:
    """Return the faults of a thresholds file for these journeys; its limits are those of the next run."""
    if not thresholds:
        declare_limits_ms(environment, [])
        return []
    checked = check_thresholds(Path(thresholds), known_request_names(user_classes))
    declare_limits_ms(environment, checked.limits_ms)
    return checked.faults.splitlines()


def _shape_faults(environment: Environment) -> list[str]:
    names = sorted(environment.available_shape_classes or {})
    if not options_of(environment).headless or len(names) < 2:
        return []
    return [f"several shapes are loaded ({', '.join(names)}): load one, e.g. -f locustfiles,shapes/ramp.py"]


def _host_faults(environment: Environment) -> list[str]:
    options = options_of(environment)
    if options.with_target:
        return ["--with-target starts its own service: leave --host out"] if environment.host else []
    if environment.host:
        return _url_faults(environment.host)
    hostless = sorted(
        user_class.__name__
        for user_class in environment.user_classes
        if issubclass(user_class, HttpUser | FastHttpUser) and not user_class.host
    )
    if not options.headless or not hostless:
        return []
    return [f"{', '.join(hostless)}: no host; give --host URL, or --with-target for the bundled service"]


def _url_faults(host: str) -> list[str]:
    try:
        url = urlsplit(host)
        complete = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        complete = False
    return [] if complete else [f"--host {redact(host)!r} is not a base URL such as http://127.0.0.1:8000"]


def _run_directory_faults(run_dir: str | None) -> list[str]:
    if not run_dir:
        return []
    try:
        Path(run_dir).mkdir(parents=True, exist_ok=True)
        taken = any(Path(run_dir).iterdir())
    except OSError as error:
        return [f"--run-dir {run_dir!r} cannot be used: {error.strerror}"]
    return [f"--run-dir {run_dir!r} is not empty: give a new or an empty directory"] if taken else []
