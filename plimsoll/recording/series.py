"""The numbers by which samples name their series and error types, and how many of each there may be."""

from __future__ import annotations

from locust.exception import CatchResponseError

from collections.abc import Callable

from plimsoll.context import Attribution
from plimsoll.recording.intervals import Key
from plimsoll.redact import redact, redact_name
from plimsoll.run_files.intervals import CUSTOM_TYPES

# Each combination of tags has rows of its own; a journey that makes up tags would make rows without end.
MAX_COMBINATIONS = 100
TOO_MANY = "(too many)"
MAX_CUSTOM_NAMES = 500
MAX_NAME_LENGTH = 200
MAX_ERROR_TYPES = 1000
MAX_ERROR_TYPE_LENGTH = 200
OTHER = "other"
_MAX_CACHED = 4 * MAX_ERROR_TYPES
# Nothing of a longer text would be kept; a body of megabytes in it must not be searched for secrets.
_MAX_READ = 10 * MAX_ERROR_TYPE_LENGTH

# What an event or a journey says; each is redacted once.
RawKey = tuple[Attribution, str, str]


class SeriesRegistry:
    """Gives each series a number; *note_error* is called once for each limit that they exceed."""

    def __init__(self, note_error: Callable[[Exception], None]) -> None:
        self.request_ids: dict[RawKey, int] = {}
        self._ids: dict[Key, int] = {}
        self._custom_ids: dict[RawKey, int] = {}
        self._custom_names: set[tuple[str, str]] = set()
        self._combinations = {""}
        self._note_error = note_error
        self._noted: set[str] = set()

    @property
    def keys(self) -> list[Key]:
        """The keys in the order of their numbers."""
        return list(self._ids)

    def request_id(self, raw: RawKey) -> int:
        """Return the number of a request, which `request_ids` has from then on."""
        raw = self._within_bounds(raw)
        known = self.request_ids.get(raw)
        if known is None:
            request_type = redact_name(str(raw[1]))
            if request_type in CUSTOM_TYPES:
                request_type += " request"
            known = self.request_ids[raw] = self._id(raw[0], request_type, redact_name(str(raw[2])))
        return known

    def custom_id(self, raw: RawKey) -> int:
        """Return the number of a transaction, iteration or metric."""
        raw = self._within_bounds(raw)
        known = self._custom_ids.get(raw)
        if known is not None:
            return known
        attribution, custom_type, name = raw[0], raw[1], redact_name(str(raw[2]))[:MAX_NAME_LENGTH]
        if (custom_type, name) not in self._custom_names and len(self._custom_names) >= MAX_CUSTOM_NAMES:
            self._note(f"over {MAX_CUSTOM_NAMES} names of transactions and metrics", name)
            return self._id(attribution, custom_type, OTHER)
        self._custom_names.add((custom_type, name))
        number = self._id(attribution, custom_type, name)
        if name == raw[2]:  # texts that differ only in what is masked may be any number
            self._custom_ids[raw] = number
        return number

    def _within_bounds(self, raw: RawKey) -> RawKey:
        attribution, request_type, name = raw
        if attribution.tags not in self._combinations:
            if len(self._combinations) > MAX_COMBINATIONS:
                self._note(f"over {MAX_COMBINATIONS} combinations of tags", name)
                return attribution._replace(tags=TOO_MANY), request_type, name
            self._combinations.add(attribution.tags)
        return raw

    def _id(self, attribution: Attribution, request_type: str, name: str) -> int:
        key = Key(attribution.user_class, request_type, name, attribution.tags)
        return self._ids.setdefault(key, len(self._ids))

    def _note(self, what: str, name: str) -> None:
        if what not in self._noted:
            self._noted.add(what)
            self._note_error(ValueError(f"{what}, at {name!r}: the rest is counted together"))


class ErrorTypes:
    """Gives each type of failure a number: short texts without secrets, "other" from the thousandth on."""

    def __init__(self) -> None:
        self.texts = [OTHER]
        self._ids = {OTHER: 0}
        # Texts as they came, so that a storm of equal failures is redacted once.
        self._seen: dict[tuple[type, str], int] = {}

    def id_of(self, failure: object) -> int:
        """Return the position in `texts` of the type of *failure*: the exception or text of an event."""
        seen = (type(failure), str(failure)[:_MAX_READ])
        number = self._seen.get(seen)
        if number is None:
            # What a journey said was wrong, or the class of an exception with its text.
            failure_class, text = seen
            if not (text and issubclass(failure_class, str | CatchResponseError)):
                text = ": ".join(filter(None, (failure_class.__name__, text)))
            text = redact(text)[:MAX_ERROR_TYPE_LENGTH]
            if len(self.texts) < MAX_ERROR_TYPES and text not in self._ids:
                self._ids[text] = len(self.texts)
                self.texts.append(text)
            number = self._ids.get(text, 0)
            if len(self._seen) < _MAX_CACHED:
                self._seen[seen] = number
        return number
