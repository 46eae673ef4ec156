"""Every request of this process, of any Locust user, kept until the next fold."""

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
from numpy.typing import NDArray

from plimsoll.listening import listen_first
from plimsoll.loads.iterations import ITERATIONS
from plimsoll.recording import in_flight, measures, transactions
from plimsoll.recording.failure_kinds import FailureKinds
from plimsoll.recording.fold import SAMPLE_COLUMNS, SUCCESS, UNFINISHED, VALUE, fold
from plimsoll.recording.intervals import IntervalBlock
from plimsoll.recording.origin import Origin, current_origin, origin_of
from plimsoll.recording.recorded_keys import RecordedKeys
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.transactions import UNDER_WAY, Transaction, note_request
from plimsoll.run_files.intervals import BUSY, COUNTER, ITERATION, SHARE_TYPES, TRANSACTION, VALUE_SCALE

_SAMPLE = struct.Struct(f"={len(SAMPLE_COLUMNS)}d")
# Packed are the time.monotonic of the record and, where the client gives a start, the age by the wall clock.
_RECORDED, _STARTED, _LATENCY = map(SAMPLE_COLUMNS.index, ("recorded_s", "started_s", "latency_ms"))
_NOT_KNOWN = math.nan
ITERATION_FAILED = "a request failed, or the task raised an exception"
MISSED = "missed"

logger = logging.getLogger("plimsoll")


class RequestRecorder:
    """Listens to Locust's request event: a packed sample each time, folded into a block once a second.

    Its own faults are logged once and counted, and never reach the users.
    """

    def __init__(self, limits_ms: Sequence[float], clock: RunClock) -> None:
        self._limits_ms, self._clock = limits_ms, clock
        self._samples = bytearray()
        self._keys = RecordedKeys(self.note_error)
        self._request_numbers = self._keys.of_requests
        self._kinds = FailureKinds()
        self._is_listening = False
        self._load_ended_s = math.inf
        self.errors = 0

    def listen(self, environment: Environment) -> None:
        """Keep every request of this process from now on."""
        listen_first(environment.events.request, self.record)
        listen_first(environment.events.test_stopping, self._note_end_of_load)
        in_flight.add_listener(self.record_unfinished)
        transactions.add_listener(self.record_transaction)
        measures.add_listener(self.record_value)
        ITERATIONS.add_listener(self.record_iteration)
        self._is_listening = True

    def stop(self, environment: Environment) -> None:
        """Count what is still under way as unfinished, and keep no more; the last fold is still to come.

        Calling it again is fine.
        """
        if not self._is_listening:
            return
        self._is_listening = False
        in_flight.cut_off_all()
        transactions.cut_off_all()
        in_flight.remove_listener(self.record_unfinished)
        transactions.remove_listener(self.record_transaction)
        measures.remove_listener(self.record_value)
        ITERATIONS.remove_listener(self.record_iteration)
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
        # Not wanted, but each one named takes less time than one gathered.
        response: object = None,  # noqa: ARG002
        context: object = None,  # noqa: ARG002
        url: object = None,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Keep one finished request: milliseconds (None: not measured), bytes, seconds since the epoch."""
        try:
            # Every request comes this way: no function is called that can be done without.
            try:
                origin = getcurrent().plimsoll_origin
            except AttributeError:
                origin = current_origin()
            key = (origin, request_type, name)
            number = self._request_numbers.get(key)
            if number is None:
                number = self._keys.number_request(key)
            # Packed before it is added: a value of a wrong type leaves nothing behind.
            self._samples += _SAMPLE.pack(
                number,
                self._kinds.number_of(exception) + 1 if exception else SUCCESS,
                time.monotonic(),
                _NOT_KNOWN if start_time is None else time.time() - start_time,
                _NOT_KNOWN if response_time is None else response_time,
                response_length or 0,
                # Asked here already, because a closed load has no time for a call in vain.
                ITERATIONS.consume_start_delay_ms() if ITERATIONS.is_scheduled else _NOT_KNOWN,
            )
            if UNDER_WAY:
                note_request(name, response_time, exception)
            if exception and ITERATIONS.is_scheduled:
                ITERATIONS.fail()
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_unfinished(
        self, origin: Origin, request_type: str, name: str, started_s: float, ended_s: float
    ) -> None:
        """Keep a request that was cut off before it ended; times of time.monotonic.

        One that started after the load ended is not counted: Locust kills waiting users, and one that wakes
        up before it is killed starts one more request.
        """
        if started_s >= self._load_ended_s:
            return
        try:
            key = self._keys.number_request((origin, request_type, name))
            age_ms = (ended_s - started_s) * 1000
            self._samples += _SAMPLE.pack(key, UNFINISHED, ended_s, _NOT_KNOWN, age_ms, 0, _NOT_KNOWN)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_iteration(
        self,
        user_class: type,
        name: str,
        intended_s: float,
        started_s: float,
        ended_s: float,
        *,
        failed: bool,
        cut_off: bool,
    ) -> None:
        """Keep an iteration that has ended, or was cut off as unfinished; times of time.monotonic."""
        try:
            origin = origin_of(user_class.__name__, current_origin().tags)
            key = self._keys.number_own((origin, ITERATION, name))
            outcome = self._kinds.number_of(ITERATION_FAILED) + 1 if failed else SUCCESS
            outcome = UNFINISHED if cut_off else outcome
            duration_ms, delay_ms = (ended_s - started_s) * 1000, (started_s - intended_s) * 1000
            self._samples += _SAMPLE.pack(key, outcome, ended_s, _NOT_KNOWN, duration_ms, 0, delay_ms)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_transaction(self, transaction: Transaction) -> None:
        """Keep a transaction that has ended: a row of the whole of it, and one of its requests."""
        try:
            outcome = self._outcome_of(transaction)
            for own_type, latency_ms, delay_ms in (
                (TRANSACTION, transaction.duration_ms, transaction.delay_ms),
                (BUSY, transaction.busy_ms, _NOT_KNOWN),
            ):
                key = self._keys.number_own((transaction.origin, own_type, transaction.name))
                ended_s = transaction.started_s + latency_ms / 1000
                self._samples += _SAMPLE.pack(key, outcome, ended_s, _NOT_KNOWN, latency_ms, 0, delay_ms)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_value(self, kind: str, name: str, value: float) -> None:
        """Keep a value of a metric; where it is a share, 1 is a success and 0 a failure without a latency."""
        try:
            measures.check_value(kind, value)
            key, now_s = self._keys.number_own((current_origin(), kind, name)), time.monotonic()
            outcome, kept = VALUE, value if kind == COUNTER else value * VALUE_SCALE
            if kind in SHARE_TYPES:
                outcome = SUCCESS if value else self._kinds.number_of(MISSED) + 1
                kept = _NOT_KNOWN
            self._samples += _SAMPLE.pack(key, outcome, now_s, _NOT_KNOWN, kept, 0, _NOT_KNOWN)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def fold(self) -> IntervalBlock | None:
        """Return what was recorded since the last fold, or None where there is nothing."""
        packed, self._samples = self._samples, bytearray()
        if not packed:
            return None
        try:
            samples = np.frombuffer(packed).reshape(-1, len(SAMPLE_COLUMNS))
            self._place_in_time(samples)
            return fold(samples, self._keys.keys, self._kinds.texts, self._limits_ms)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)
            return None

    def _place_in_time(self, samples: NDArray[np.float64]) -> None:
        """Have packed samples tell when they were recorded and started, in seconds since the epoch."""
        self._clock.look()
        recorded_s = self._clock.unix_s(samples[:, _RECORDED])
        age_s = self._clock.true_age_s(recorded_s, samples[:, _STARTED], samples[:, _LATENCY] / 1000)
        samples[:, _RECORDED], samples[:, _STARTED] = recorded_s, recorded_s - age_s

    def note_error(self, error: Exception) -> None:
        """Count a fault of the recording itself, and log the first."""
        self.errors += 1
        if self.errors == 1:
            logger.error("not everything could be recorded: %r", error)

    def _outcome_of(self, transaction: Transaction) -> int:
        if transaction.is_cut_off:
            return UNFINISHED
        return self._kinds.number_of(transaction.failure) + 1 if transaction.failure is not None else SUCCESS
