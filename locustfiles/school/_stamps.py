"""Messages that carry their sender, number and time of sending, and what their listener makes of them."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from plimsoll import Delivery, WrongAnswerError, field, filled

MAX_GAP = 10_000
"""The most missing messages in a row that are believed."""
_MAX_SENDERS = 1000


class StampedSender:
    """Make messages of one type that are numbered from 1, and all of the same size."""

    def __init__(self, kind: str, size_bytes: int) -> None:
        self._head = f'{{"type":"{kind}","sender":"{uuid.uuid4().hex}"'
        self._size_bytes = size_bytes
        self._number = 0
        least_bytes = len(self._message(time.time()))
        if size_bytes < least_bytes:
            raise ValueError(f"size_bytes must be at least {least_bytes}, got {size_bytes!r}")

    def next_message(self) -> bytes:
        """Return the next message, stamped as sent now."""
        self._number += 1
        message = self._message(time.time())
        return self._message(time.time(), "x" * (self._size_bytes - len(message)))

    def _message(self, sent_s: float, padding: str = "") -> bytes:
        stamp = f'"seq":{self._number},"sentAt":{sent_s:.6f}'
        return f'{self._head},{stamp},"padding":"{padding}"}}'.encode("ascii")


class StampedListener:
    """Read messages of one type, and notice which are missing, of each sender on its own."""

    def __init__(self, kind: str) -> None:
        self.name = kind
        self._last_numbers: dict[str, int] = {}

    def hear(self, text: bytes, received_s: float) -> Delivery | None:
        """Read a message; None where it is the server's word that it dropped some, which the numbers tell.

        *received_s* is in s since the epoch. Raises WrongAnswerError for what is no such message, came
        before, or was received before it was sent.
        """
        message = _parsed(text)
        kind = field(message, "type", str)
        if kind == "dropped":
            return None
        if kind != self.name:
            raise WrongAnswerError(f"expected messages of type {self.name}, got another")
        sent_s = field(message, "sentAt", float)
        missing = self._missing(filled(message, "sender", str), field(message, "seq", int))
        if received_s < sent_s:
            raise WrongAnswerError("received before it was sent: the clocks differ")
        return Delivery(sent_s, missing)

    def _missing(self, sender: str, number: int) -> int:
        last = self._last_numbers.get(sender)
        if last is not None and number <= last:
            raise WrongAnswerError("came twice, or out of order")
        if len(self._last_numbers) >= _MAX_SENDERS:
            self._last_numbers.clear()
        self._last_numbers[sender] = number
        missing = 0 if last is None else number - last - 1
        if missing > MAX_GAP:
            raise WrongAnswerError(f"its number is more than {MAX_GAP:,} above the last")
        return missing


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise WrongAnswerError("the message is not JSON") from None
