"""The kinds of failure of one process: short texts without secrets, and not too many of them."""

from __future__ import annotations

from locust.exception import CatchResponseError

from plimsoll.redact import redact

MAX_KINDS = 1000
MAX_KIND_LENGTH = 200
OTHER = "other"
_MAX_CACHED = 4 * MAX_KINDS
# Nothing of a longer text would be kept; a body of megabytes in it must not be searched for secrets.
_MAX_READ = 10 * MAX_KIND_LENGTH


class FailureKinds:
    """Give each kind of failure a number; from the thousandth on all are "other"."""

    def __init__(self) -> None:
        self.texts = [OTHER]
        self._numbers = {OTHER: 0}
        # Texts as they came, so that a storm of equal failures is redacted once.
        self._seen: dict[tuple[type, str], int] = {}

    def number_of(self, failure: object) -> int:
        """Return the position in `texts` of the kind of *failure*: the exception or text of an event."""
        seen = (type(failure), str(failure)[:_MAX_READ])
        number = self._seen.get(seen)
        if number is None:
            number = self._number_of_text(_describe(*seen))
            if len(self._seen) < _MAX_CACHED:
                self._seen[seen] = number
        return number

    def _number_of_text(self, text: str) -> int:
        if len(self.texts) < MAX_KINDS:
            number = self._numbers.setdefault(text, len(self.texts))
            if number == len(self.texts):
                self.texts.append(text)
            return number
        return self._numbers.get(text, 0)


def _describe(failure_class: type, text: str) -> str:
    """Return what a journey said was wrong, or the class of an exception with its text."""
    said_by_journey = issubclass(failure_class, str | CatchResponseError)
    words = text if said_by_journey and text else ": ".join(filter(None, (failure_class.__name__, text)))
    return redact(words)[:MAX_KIND_LENGTH]
