"""Have Locust itself show no secrets: in its tables, CSV and HTML files, web UI and log.

What a user class prints by itself stays as it is, and so do host and profile in Locust's web UI and HTML
file, as fields of its form.
"""

from __future__ import annotations

from locust.env import Environment

import logging

from plimsoll.locust_internals import redact_statistics
from plimsoll.redact import redact_log

# Of tables of names that are masked already; as prose, their other columns would be masked with a name.
_TABLES = "locust.stats_logger"
_TRACEBACKS = logging.Formatter()


def redact_locust(environment: Environment) -> None:
    """Mask names of requests, errors, exceptions and log lines of this process from now on."""
    redact_statistics(environment.stats, environment.runner)
    for handler in (*logging.getLogger().handlers, *logging.getLogger("locust").handlers):
        handler.addFilter(_redact_record)


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
