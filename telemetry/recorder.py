"""Every request of this process, of any Locust user, kept until the next fold."""

from __future__ import annotations

from locust import User
from locust.env import Environment

import logging
import math
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from shapes.iterations import ITERATIONS
from telemetry.failure_kinds import FailureKinds
from telemetry.fold import SAMPLE_COLUMNS, SUCCESS, UNFINISHED, fold
from telemetry.in_flight import add_listener, current_user_class, cut_off_all, remove_listener
from telemetry.interval_block import IntervalBlock, Key
from telemetry.redact import storable

_SAMPLE = struct.Struct(f"={len(SAMPLE_COLUMNS)}d")
_NOT_KNOWN = math.nan
# Iterations of a schedule are rows like requests, of a type that no request has.
ITERATION = "iteration"
ITERATION_FAILED = "a request failed, or the task raised an exception"

logger = logging.getLogger("plimsoll")


class RequestRecorder:
    """Listens to Locust's request event: a packed sample each time, folded into a block once a second.

    Its own faults are logged once and counted, and never reach the users.
    """

    def __init__(self, limits_ms: Sequence[float]) -> None:
        self._limits_ms = limits_ms
        self._samples = bytearray()
        self._keys: dict[Key, int] = {}
        # Keys as they came, so that each is redacted once.
        self._key_numbers: dict[tuple[type | None, str, str], int] = {}
        self._kinds = FailureKinds()
        self._is_listening = False
        self.errors = 0

    def listen(self, environment: Environment) -> None:
        """Keep every request of this process from now on."""
        environment.events.request.add_listener(self.record)
        add_listener(self.record_unfinished)
        ITERATIONS.add_listener(self.record_iteration)
        self._is_listening = True

    def stop(self, environment: Environment) -> None:
        """Count what is still under way as unfinished, and keep no more; the last fold is still to come.

        Calling it again is fine.
        """
        if not self._is_listening:
            return
        self._is_listening = False
        cut_off_all()
        remove_listener(self.record_unfinished)
        ITERATIONS.remove_listener(self.record_iteration)
        environment.events.request.remove_listener(self.record)

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
            key = (current_user_class(), request_type, name)
            number = self._key_numbers.get(key)
            if number is None:
                number = self._number_of(key)
            # Packed before it is added: a value of a wrong type leaves nothing behind.
            self._samples += _SAMPLE.pack(
                number,
                self._kinds.number_of(exception) + 1 if exception else SUCCESS,
                time.time(),
                _NOT_KNOWN if start_time is None else start_time,
                _NOT_KNOWN if response_time is None else response_time,
                response_length or 0,
                # Asked here already, because a closed load has no time for a call in vain.
                ITERATIONS.take_delay_ms() if ITERATIONS.is_scheduled else _NOT_KNOWN,
            )
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def record_unfinished(
        self, user_class: type | None, request_type: str, name: str, started_s: float, ended_s: float
    ) -> None:
        """Keep a request that was cut off before it ended; seconds since the epoch."""
        try:
            key = self._number_of((user_class, request_type, name))
            age_ms = (ended_s - started_s) * 1000
            self._samples += _SAMPLE.pack(key, UNFINISHED, ended_s, started_s, age_ms, 0, _NOT_KNOWN)
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
    ) -> None:
        """Keep a whole iteration that has ended; seconds since the epoch."""
        try:
            key = self._number_of((user_class, ITERATION, name))
            outcome = self._kinds.number_of(ITERATION_FAILED) + 1 if failed else SUCCESS
            duration_ms, delay_ms = (ended_s - started_s) * 1000, (started_s - intended_s) * 1000
            self._samples += _SAMPLE.pack(key, outcome, ended_s, started_s, duration_ms, 0, delay_ms)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)

    def fold(self) -> IntervalBlock | None:
        """Return what was recorded since the last fold, or None where there is nothing."""
        packed, self._samples = self._samples, bytearray()
        if not packed:
            return None
        try:
            samples = np.frombuffer(packed).reshape(-1, len(SAMPLE_COLUMNS))
            return fold(samples, list(self._keys), self._kinds.texts, self._limits_ms)
        except Exception as error:  # noqa: BLE001 - measuring must never break the load
            self.note_error(error)
            return None

    def note_error(self, error: Exception) -> None:
        """Count a fault of the recording itself, and log the first."""
        self.errors += 1
        if self.errors == 1:
            logger.error("a request could not be recorded: %r", error)

    def _number_of(self, told: tuple[type | None, str, str]) -> int:
        known = self._key_numbers.get(told)
        if known is not None:
            return known
        user_class, request_type, name = told
        user = user_class.__name__ if user_class and issubclass(user_class, User) else ""
        key = Key(user, storable(str(request_type)), storable(str(name)))
        number = self._key_numbers[told] = self._keys.setdefault(key, len(self._keys))
        return number
