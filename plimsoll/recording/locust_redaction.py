"""Have Locust itself show no secrets: in its tables, CSV and HTML files, web UI and log.

What Locust counts is masked where it is counted, so that all of them agree. What a user class prints by
itself stays as it is, and so do host and profile in Locust's web UI and HTML file, as fields of its form.
"""

from __future__ import annotations

from locust.env import Environment
from locust.runners import Runner
from locust.stats import RequestStats, StatsError

import logging
from functools import partial

from plimsoll.redact import redact, redact_log, redact_name

# Of tables of names that are masked already; as prose, their other columns would be masked with a name.
_TABLES = "locust.stats_logger"
_TRACEBACKS = logging.Formatter()


def redact_locust(environment: Environment) -> None:
    """Mask errors, exceptions and log lines of this process from now on; `hasten` masks names of requests."""
    stats, runner = environment.stats, environment.runner
    stats.log_error = partial(_log_error, stats)  # type: ignore[method-assign] # Locust has no hook for it
    if runner is not None:
        runner.log_exception = partial(_log_exception, runner)  # type: ignore[method-assign] # likewise
    for handler in (*logging.getLogger().handlers, *logging.getLogger("locust").handlers):
        handler.addFilter(_redact_record)


def _log_error(stats: RequestStats, method: str, name: str, error: Exception | str | None) -> None:
    text = StatsError.parse_error(error)
    shown = redact(text)
    # Most have no secret, and stay the object that Locust knows how to show.
    has_secret = shown != text or redact(str(error)) != str(error)
    kept = shown if has_secret else error
    RequestStats.log_error(stats, redact_name(str(method)), redact_name(str(name)), kept)


def _log_exception(runner: Runner, node_id: str, msg: str, formatted_tb: str) -> None:
    type(runner).log_exception(runner, node_id, redact_log(msg), redact_log(formatted_tb))


def _redact_record(record: logging.LogRecord) -> bool:
    if record.name == _TABLES:
        return True
    try:
        record.msg, record.args = redact_log(record.getMessage()), None
    except Exception:  # noqa: BLE001 - logging itself says what is wrong with such a record
        return True
    if record.exc_info:
        record.exc_text = redact_log(record.exc_text or _TRACEBACKS.formatException(record.exc_info))
    return True
