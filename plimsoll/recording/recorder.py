"""Everything that users of this process do, kept until the next aggregation."""

from __future__ import annotations

from gevent import getcurrent
from locust.env import Environment

import logging
import math
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from plimsoll.context import (
    Attribution,
    Execution,
    Iteration,
    Transaction,
    current_context,
    execution_of,
)
from plimsoll.listening import listen_first
from plimsoll.recording.aggregate import SAMPLE_COLUMNS, SUCCESS, UNFINISHED, VALUE, aggregate
from plimsoll.recording.intervals import IntervalBatch
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.series import ErrorTypes, SeriesRegistry
from plimsoll.run_files.intervals import (
    BUSY,
    COUNTER,
    ITERATION,
    METRIC_TYPES,
    SHARE_TYPES,
    TRANSACTION,
    VALUE_SCALE,
)

_SAMPLE = struct.Struct(f"={len(SAMPLE_COLUMNS)}d")
# Packed are the time.monotonic of the record and, where the client gives a start, the age by the wall clock.
_RECORDED, _STARTED, _LATENCY = map(SAMPLE_COLUMNS.index, ("recorded_s", "started_s", "latency_ms"))
_NOT_KNOWN = math.nan
ITERATION_FAILED = "a request failed, or the task raised an exception"
MISSED = "missed"

logger = logging.getLogger("plimsoll")


class RequestRecorder:
    """Listens to Locust's request event: a packed sample each time, made to a batch of rows once a second.

    What else users do it is given by their contexts. Its own faults are logged once and counted, and never
    reach the users.
    """

    def __init__(self, limits_ms: Sequence[float], clock: RunClock) -> None:
        self._limits_ms, self._clock = limits_ms, clock
        self._samples = bytearray()
        self._series = SeriesRegistry(self.note_error)
        self._request_ids = self._series.request_ids
        self._error_types = ErrorTypes()
        self._execution = Execution()
        self._load_ended_s = math.inf
        self.errors = 0

    def listen(self, environment: Environment) -> None:
        """Keep everything that the users of an environment do from now on."""
        listen_first(environment.events.request, self.record)
        listen_first(environment.events.test_stopping, self._note_end_of_load)
        self._execution = execution_of(environment)
        self._execution.recorder = self
        Execution.latest = self._execution

    def stop(self, environment: Environment) -> None:
        """Count what is still under way as unfinished, and keep no more; the last rows are still to come.

        It is idempotent.
        """
        if self._execution.recorder is not self:
            return
        self._execution.cut_off_all()
        self._execution.recorder = None
        environment.events.request.remove_listener(self.record)
        environment.events.test_stopping.remove_listener(self._note_end_of_load)

    def _note_end_of_load(self, **_: Any) -> None:
        self._load_ended_s = time.monotonic()

    def record(  # the hot path; the names are those of Locust's event
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: float | None,
        exception: object = None,
        start_time: float | None = None,
        # Not used, but each one named takes less time than one gathered.
        response: object = None,  # noqa: ARG002
        context: object = None,  # noqa: ARG002
        url: object = None,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Keep one finished request: milliseconds (None: not measured), bytes, seconds since the epoch."""
        try:
            # Every request comes this way: no function is called that can be done without.
            try:
                own = getcurrent().plimsoll_context
            except AttributeError:
                own = current_context()
            raw = (own.attribution, request_type, name)
            series = self._request_ids.get(raw)
            if series is None:
                series = self._series.request_id(raw)
            # Packed before it is added: a value of a wrong type leaves nothing behind.
            self._samples += _SAMPLE.pack(
                series,
                self._error_types.id_of(exception) + 1 if exception else SUCCESS,
                time.monotonic(),
                _NOT_KNOWN if start_time is None else time.time() - start_time,
                _NOT_KNOWN if response_time is None else response_time,
                response_length or 0,
                # Asked here already, because a closed load has no time for a call in vain.
                own.consume_start_delay_ms() if self._execution.task_starts else _NOT_KNOWN,
            )
            if own.transaction:
                own.transaction.note_request(name, response_time, exception)
            if exception and own.iteration:
                own.iteration.failed = True
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_unfinished(
        self, attribution: Attribution, request_type: str, name: str, started_s: float, ended_s: float
    ) -> None:
        """Keep a request that was cut off before it ended; times of time.monotonic.

        One that started after the load ended is not counted: Locust kills waiting users, and one that wakes
        up before it is killed starts one more request.
        """
        if started_s >= self._load_ended_s:
            return
        try:
            series = self._series.request_id((attribution, request_type, name))
            self._keep(series, UNFINISHED, ended_s, (ended_s - started_s) * 1000)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_iteration(self, iteration: Iteration) -> None:
        """Keep an iteration that has ended, or was cut off as unfinished."""
        try:
            series = self._series.custom_id((iteration.attribution, ITERATION, iteration.name))
            outcome = self._error_types.id_of(ITERATION_FAILED) + 1 if iteration.failed else SUCCESS
            if iteration.is_cut_off:
                outcome = UNFINISHED
            duration_ms = (iteration.ended_s - iteration.started_s) * 1000
            self._keep(series, outcome, iteration.ended_s, duration_ms, iteration.delay_s * 1000)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_transaction(self, transaction: Transaction) -> None:
        """Keep a transaction that has ended: a row of the whole of it, and one of its requests."""
        try:
            outcome = SUCCESS
            if transaction.is_cut_off:
                outcome = UNFINISHED
            elif transaction.failure is not None:
                outcome = self._error_types.id_of(transaction.failure) + 1
            for custom_type, latency_ms, delay_ms in (
                (TRANSACTION, transaction.duration_ms, transaction.delay_ms),
                (BUSY, transaction.cumulated_ms, _NOT_KNOWN),
            ):
                series = self._series.custom_id((transaction.attribution, custom_type, transaction.name))
                self._keep(series, outcome, transaction.started_s + latency_ms / 1000, latency_ms, delay_ms)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_value(self, kind: str, name: str, value: float) -> None:
        """Keep a value of a metric; where it is a share, 1 is a success and 0 a failure without a latency.

        A kind that is not known, and a value that is no finite number of 0 or more, is a fault.
        """
        try:
            if kind not in METRIC_TYPES or not 0 <= value < math.inf:
                valid = f"a finite number of 0 or more, of a {', '.join(METRIC_TYPES)}"
                self.note_error(ValueError(f"{kind} {name!r} cannot be {value!r}; valid is {valid}"))
                return
            series = self._series.custom_id((current_context().attribution, kind, name))
            outcome, kept = VALUE, value if kind == COUNTER else value * VALUE_SCALE
            if kind in SHARE_TYPES:
                outcome = SUCCESS if value else self._error_types.id_of(MISSED) + 1
                kept = _NOT_KNOWN
            self._keep(series, outcome, time.monotonic(), kept)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def _keep(
        self, series: int, outcome: int, ended_s: float, latency_ms: float, delay_ms: float = _NOT_KNOWN
    ) -> None:
        self._samples += _SAMPLE.pack(series, outcome, ended_s, _NOT_KNOWN, latency_ms, 0, delay_ms)

    def aggregate(self) -> IntervalBatch | None:
        """Return what was recorded since the last call as rows, or None where there is nothing."""
        packed, self._samples = self._samples, bytearray()
        if not packed:
            return None
        try:
            samples = np.frombuffer(packed).reshape(-1, len(SAMPLE_COLUMNS))
            # When they were recorded and started, in seconds since the epoch.
            self._clock.look()
            recorded_s = self._clock.unix_s(samples[:, _RECORDED])
            age_s = self._clock.true_age_s(recorded_s, samples[:, _STARTED], samples[:, _LATENCY] / 1000)
            samples[:, _RECORDED], samples[:, _STARTED] = recorded_s, recorded_s - age_s
            return aggregate(samples, self._series.keys, self._error_types.texts, self._limits_ms)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)
            return None

    def note_error(self, error: Exception) -> None:
        """Count a fault of the recording itself, and log the first."""
        self.errors += 1
        if self.errors == 1:
            logger.error("recording error, some requests are missing: %r", error)
