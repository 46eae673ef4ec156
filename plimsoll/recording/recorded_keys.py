"""The numbers by which samples name what they are of, and not more names of a journey's own than fit."""

from __future__ import annotations

from collections.abc import Callable

from plimsoll.recording.intervals import Key
from plimsoll.recording.origin import MAX_COMBINATIONS, TOO_MANY, Origin
from plimsoll.redact import redact_name
from plimsoll.run_files.intervals import CUSTOM_TYPES

MAX_OWN_NAMES = 500
OTHER = "other"
MAX_NAME_LENGTH = 200

# What an event or a journey tells: each is redacted once.
Told = tuple[Origin, str, str]


class RecordedKeys:
    """Gives each key a number; *note_error* is called once for each kind of key that exceeds its limit."""

    def __init__(self, note_error: Callable[[Exception], None]) -> None:
        self.of_requests: dict[Told, int] = {}
        self._numbers: dict[Key, int] = {}
        self._own: dict[Told, int] = {}
        self._own_names: set[tuple[str, str]] = set()
        self._note_error = note_error
        self._noted: set[str] = set()

    @property
    def keys(self) -> list[Key]:
        """The keys in the order of their numbers."""
        return list(self._numbers)

    def number_request(self, told: Told) -> int:
        """Return the number of a request, which `of_requests` knows from then on."""
        known = self.of_requests.get(told)
        if known is None:
            request_type = redact_name(str(told[1]))
            if request_type in CUSTOM_TYPES:
                request_type += " request"
            known = self.of_requests[told] = self._number(told[0], request_type, redact_name(str(told[2])))
        return known

    def number_own(self, told: Told) -> int:
        """Return the number of a transaction, iteration or metric."""
        known = self._own.get(told)
        if known is not None:
            return known
        origin, own_type, name = told[0], told[1], redact_name(str(told[2]))[:MAX_NAME_LENGTH]
        if (own_type, name) not in self._own_names and len(self._own_names) >= MAX_OWN_NAMES:
            self._note(f"over {MAX_OWN_NAMES} names of transactions and metrics", name)
            return self._number(origin, own_type, OTHER)
        self._own_names.add((own_type, name))
        number = self._number(origin, own_type, name)
        if name == told[2]:  # texts that differ only in what is masked may be any number
            self._own[told] = number
        return number

    def _number(self, origin: Origin, request_type: str, name: str) -> int:
        if origin.tags == TOO_MANY:
            self._note(f"over {MAX_COMBINATIONS} combinations of tags", name)
        key = Key(origin.user_class, request_type, name, origin.tags)
        return self._numbers.setdefault(key, len(self._numbers))

    def _note(self, what: str, name: str) -> None:
        if what not in self._noted:
            self._noted.add(what)
            self._note_error(ValueError(f"{what}, at {name!r}: the rest is counted together"))
