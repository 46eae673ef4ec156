"""Everything that reaches into Locust beyond its public API: what, why, and what would replace it upstream.

All of it is as in Locust 2.47; `tests/unit/test_locust_internals.py` fails where another version changes one
of these insides. Only `plimsoll/listening.py`, about the order of listeners, does so too.
"""

from __future__ import annotations

import gevent
from gevent import Greenlet
from gevent.event import Event
from gevent.pool import Group
from locust import TaskSet, User, argument_parser, constant_pacing
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser
from locust.rpc import Message
from locust.runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, MasterRunner, Runner, WorkerRunner
from locust.stats import EntriesDict, RequestStats, StatsCSVFileWriter, StatsEntry, StatsError
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING
from locust.web import WebUI

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, wraps
from typing import Any
from urllib.parse import urlsplit

from plimsoll.listening import surround
from plimsoll.redact import redact, redact_log, redact_name

# A worker that waits for `init` hears of no end either.
INIT_LIMIT_S = 30.0
SWARM_ENDPOINT, INDEX_ENDPOINT = "locust.swarm", "locust.index"
"""Flask's names of Locust's own views, as Locust names its blueprint and their functions."""

logger = logging.getLogger("plimsoll")

ExecuteTask = Callable[[TaskSet], None]


def answering_workers(runner: Runner | None) -> set[str]:
    """Return the ids of the workers that are there, of which the master has heard lately; none of another.

    Locust keeps a worker that it takes for lost among its clients. Upstream: `clients.answering`.
    """
    if not isinstance(runner, MasterRunner):
        return set()
    return {client.id for client in runner.clients.all if client.state != STATE_MISSING}


# Users and their tasks. Upstream: events of a user's start, and of the begin and end of a task.


def after_user_start(note: Callable[[User, Greenlet], None]) -> None:
    """Call *note* with each user that is started and its greenlet, before that runs; call it once."""
    start = User.start

    @wraps(start)
    def start_and_note(self: User, group: Group) -> Greenlet:
        greenlet = start(self, group)
        note(self, greenlet)
        return greenlet

    User.start = start_and_note  # type: ignore[method-assign]


def around_tasks(execute: Callable[[TaskSet, Any, ExecuteTask], None]) -> None:
    """Have *execute* execute each task: it gets the TaskSet, the task and Locust's own way; call it once."""
    locusts: ExecuteTask = TaskSet.execute_next_task

    TaskSet.execute_next_task = wraps(locusts)(  # type: ignore[method-assign]
        lambda self: execute(self, self._task_queue[0], locusts)
    )


def around_waits(wait: Callable[[TaskSet, ExecuteTask], None]) -> None:
    """Have *wait* wait between tasks: it gets the TaskSet and Locust's own way; call it once."""
    locusts: ExecuteTask = TaskSet.wait
    TaskSet.wait = wraps(locusts)(lambda self: wait(self, locusts))  # type: ignore[method-assign]


def is_stopping(user: User) -> bool:
    """Tell whether a user is to stop after its task, as --stop-timeout lets it."""
    return user._state == LOCUST_STATE_STOPPING


@contextmanager
def waiting(user: User) -> Iterator[None]:
    """Let a user be stopped in a with-block as in its wait time: at once, also with a --stop-timeout.

    Raises:
        StopUser: it was to stop before.
    """
    if is_stopping(user):
        raise StopUser
    user._state = LOCUST_STATE_WAITING
    yield
    if is_stopping(user):
        raise StopUser
    user._state = LOCUST_STATE_RUNNING


def pacing_s(wait_time: Callable[..., Any] | None) -> float | None:
    """Return the seconds of a `constant_pacing` or `constant_throughput`, None for any other wait time.

    The latter is made of the former. Upstream: the function could bear its seconds as an attribute.
    """
    function: Any = getattr(wait_time, "__func__", wait_time)
    if getattr(function, "__code__", None) is not constant_pacing(1).__code__:
        return None
    return float(function.__closure__[0].cell_contents)


@cache
def around_client_requests(track: Callable[[str, str], AbstractContextManager[None]]) -> None:
    """Hold `track(method, name)` around each request of HttpUser and FastHttpUser; idempotent.

    Locust fires the event of a request only when it has ended. Upstream: an event of its start.
    """

    def name_of(url: str | bytes) -> str:
        """Return the path and query of a URL, by which HttpSession names a request; other texts unchanged."""
        text = url.decode(errors="replace") if isinstance(url, bytes) else str(url)
        try:
            _, _, path, query, _ = urlsplit(text)
        except ValueError:
            return text
        return f"{path or '/'}?{query}" if query else path or "/"

    def tracked(request: Callable[..., Any], default_name: Callable[[Any], str]) -> Callable[..., Any]:
        @wraps(request)
        def tracked_request(
            self: Any, method: str, url: Any, name: str | None = None, *args: Any, **kwargs: Any
        ) -> Any:
            with track(method, name or self.request_name or default_name(url)):
                return request(self, method, url, name, *args, **kwargs)

        return tracked_request

    FastHttpSession.request = tracked(FastHttpSession.request, str)  # type: ignore[method-assign]
    HttpSession.request = tracked(HttpSession.request, name_of)  # type: ignore[method-assign]


# Workers and the start of a load.


def start_after_init(events: Events) -> None:
    """Have the worker in this process start no users until all listeners of `init` are done; call it once.

    Locust counts a worker as ready before that. A master that has waited for this worker alone may order it
    to spawn users in the same moment, and a worker that was slow to get a CPU then finds both messages at
    once: the test would start before anybody listens, and nothing of it be recorded.
    """
    initialised, handle_message = Event(), WorkerRunner.handle_message

    @contextmanager
    def note_end(**_: Any) -> Iterator[None]:
        yield
        initialised.set()

    @wraps(handle_message)
    def handle_after_init(self: WorkerRunner, message: Message) -> None:
        if message.type == "spawn" and not initialised.wait(INIT_LIMIT_S):
            logger.error("init listeners did not finish within %.0f s; starting users anyway", INIT_LIMIT_S)
        handle_message(self, message)

    surround(events.init, note_end)
    WorkerRunner.handle_message = handle_after_init  # type: ignore[method-assign,assignment] # a method


@cache
def keep_default_options() -> None:
    """Have Locust compute its default options once; idempotent.

    A worker does that for each of them, some fifty times, at each order to spawn: its event loop stands still
    for 50 ms and more, which a load that changes every second would measure as latencies of the service.
    """
    argument_parser.default_args_dict = cache(argument_parser.default_args_dict)


def send_report(runner: WorkerRunner) -> None:
    """Send a worker's report now: Locust's next one comes after it has announced its stop, or never."""
    runner._send_stats()


def guard_starts(runner: Runner, may_start: Callable[[], bool]) -> None:
    """Ask *may_start* before each start of a load; a load that runs already goes on without.

    Listeners of test_start come too late: what they raise does not keep Locust from starting the load.
    """

    def guarded(start: Callable[..., None]) -> Callable[..., None]:
        def start_if_allowed(*arguments: Any, **options: Any) -> None:
            if runner.state in {STATE_RUNNING, STATE_SPAWNING} or may_start():
                start(*arguments, **options)

        return start_if_allowed

    runner.start = guarded(runner.start)  # type: ignore[method-assign] # of this one runner
    runner.start_shape = guarded(runner.start_shape)  # type: ignore[method-assign] # likewise


def stop_run_timer(web_ui: WebUI) -> Callable[[], None]:
    """Stop the web UI's timer of the run time, which counts a set-up too; return what starts it anew."""
    is_timed = web_ui._run_time_greenlet is not None
    web_ui._cancel_run_time_timer()

    def start_anew() -> None:
        options = web_ui.environment.parsed_options
        if is_timed and options is not None:
            web_ui._run_time_greenlet = gevent.spawn_later(options.run_time, web_ui._stop_runners)

    return start_anew


# Statistics: what Locust counts is masked where it is counted, so that its tables, CSV and HTML files and web
# UI agree and show no secrets. Upstream: a function that makes the name of an entry.


class _RedactedEntries(EntriesDict):
    """Entries by names without secrets. Only names that are not found are masked: others cost nothing."""

    def __missing__(self, key: tuple[str, str]) -> StatsEntry:
        name, method = redact_name(str(key[0])), redact_name(str(key[1]))
        entry: StatsEntry = super().__missing__(key) if (name, method) == key else self[name, method]
        return entry


class _RedactedStats(RequestStats):
    """Statistics of which no name and no error has a secret."""

    def clear_all(self) -> None:
        """Begin anew, as each run does."""
        super().clear_all()
        self.entries = _RedactedEntries(self)

    def log_error(self, method: str, name: str, error: Exception | str | None) -> None:
        """Count a failure."""
        text = StatsError.parse_error(error)
        shown = redact(text)
        # Most have no secret, and stay the object that Locust shows as it does.
        has_secret = shown != text or redact(str(error)) != str(error)
        super().log_error(redact_name(str(method)), redact_name(str(name)), shown if has_secret else error)


def redact_locust(environment: Environment) -> None:
    """Have Locust count and log without secrets from now on; idempotent.

    What a user class prints by itself stays as it is, and so do host and profile in Locust's web UI and HTML
    file, as fields of its form.
    """
    stats, runner = environment.stats, environment.runner
    known, stats.__class__ = stats.entries, _RedactedStats  # the object stays: listeners of Locust's hold it
    stats.entries = _RedactedEntries(stats)
    stats.entries.update(known)
    if runner is not None:
        log_exception = type(runner).log_exception

        def log_redacted(node_id: str, msg: str, formatted_tb: str) -> None:
            log_exception(runner, node_id, redact_log(msg), redact_log(formatted_tb))

        runner.log_exception = log_redacted  # type: ignore[method-assign] # of this one runner
    for handler in (*logging.getLogger().handlers, *logging.getLogger("locust").handlers):
        handler.addFilter(_redact_record)


def _redact_record(record: logging.LogRecord) -> bool:
    if record.name == "locust.stats_logger":
        return True  # tables of masked names; as prose, their other columns would be masked with a name
    try:
        record.msg, record.args = redact_log(record.getMessage()), None
    except Exception:  # noqa: BLE001 - logging itself says what is wrong with such a record
        return True
    if record.exc_info:
        text = record.exc_text or logging.Formatter().formatException(record.exc_info)
        record.exc_text = redact_log(text)
    return True


class ClockedCsvWriter(StatsCSVFileWriter):
    """Locust's CSV writer by another clock, as the time of day may be set, and with a last row of history."""

    def __init__(self, *arguments: Any, now_s: Callable[[], float], **options: Any) -> None:
        self._now_s = now_s
        super().__init__(*arguments, **options)

    def write_history(self) -> None:
        """Write a row of the history, which Locust omits at the end."""
        self._stats_history_data_rows(self.stats_history_csv_writer, 0.0)

    def _stats_history_data_rows(self, csv_writer: Any, now: float) -> None:  # noqa: ARG002 - by our clock
        super()._stats_history_data_rows(csv_writer, self._now_s())
