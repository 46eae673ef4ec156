"""What has become of a request: an answer, looked into only where somebody looks, or a failure."""

from __future__ import annotations

from locust.event import EventHook
from locust.exception import CatchResponseError, LocustError, ResponseError

from datetime import timedelta
from json import loads
from types import TracebackType
from typing import Any, Self

from clients.wire.decoding import decode_text, encoding_of
from clients.wire.phases import Phases
from clients.wire.response_head import ResponseHeaders, content_type_of


class LeanResponse:
    """The answer to a request; where none came, `error` says why, the status is 0 and there is no content.

    `url` is where the answer came from in the end, `history` the answers that led there, `encoding` the
    charset of the text, which may be set, and `phases`, where they are recorded, the parts of the time.
    """

    __slots__ = (
        "_event",
        "_has_entered",
        "_headers",
        "_raw_head",
        "_verdict",
        "content",
        "elapsed_s",
        "encoding",
        "error",
        "history",
        "js",
        "phases",
        "request_meta",
        "status_code",
        "url",
    )
    elapsed_s: float
    js: Any  # the parsed JSON, set by Locust's rest()

    def __init__(self, url: str, status_code: int, raw_head: bytes, content: bytes | None) -> None:
        self.url = url
        self.status_code = status_code
        self.content = content
        self.encoding: str | None = None
        self.error: Exception | None = None
        self.history: list[LeanResponse] = []
        self.phases: Phases | None = None
        self._raw_head = raw_head
        self._headers: ResponseHeaders | None = None
        self._event: EventHook | None = None
        self._has_entered = False
        self._verdict: Exception | bool | None = None

    @property
    def headers(self) -> ResponseHeaders:
        """The headers, by names in any case."""
        if self._headers is None:
            self._headers = ResponseHeaders(self._raw_head)
        return self._headers

    @property
    def cookies(self) -> dict[str, str]:
        """The names and values of the cookies that this answer sets."""
        pairs = (line.partition(";")[0].partition("=") for line in self.headers.getlist("set-cookie"))
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def text(self) -> str | None:
        """The content as text: by `encoding`, else the charset of the headers, else one that fits."""
        if self.content is None:
            return None
        if self.encoding is None:
            self.encoding = encoding_of(content_type_of(self._raw_head), self.content)
        return decode_text(self.content, self.encoding)

    @property
    def elapsed(self) -> timedelta:
        """From the start of the request to the end of the answer."""
        return timedelta(seconds=self.elapsed_s)

    @property
    def ok(self) -> bool:
        """Whether an answer came, with a status below 400."""
        return self.error is None

    def json(self) -> Any:
        """Return the parsed content; raises json.JSONDecodeError where it is no JSON or there is none."""
        try:
            return loads(self.content or b"")
        except UnicodeDecodeError:
            return loads(self.text or "")

    def raise_for_status(self) -> None:
        """Raise what the with-block said was wrong, or, where it said nothing, what went wrong."""
        if isinstance(self._verdict, Exception):
            raise self._verdict
        if self._verdict is None and self.error is not None:
            raise self.error

    def report_to(self, event: EventHook, request_meta: dict[str, Any]) -> None:
        """Tell Locust of the request when the with-block ends; until then *request_meta* may be changed."""
        self._event = event
        self.request_meta = request_meta

    def success(self) -> None:
        """Say, in the with-block, that the answer is right, whatever its status."""
        self._require_block("success")
        self._verdict = True

    def failure(self, reason: object) -> None:
        """Say, in the with-block, why the answer is wrong: an exception, or a text alike for like faults."""
        self._require_block("failure")
        self._verdict = reason if isinstance(reason, Exception) else CatchResponseError(reason)

    def __enter__(self) -> Self:
        if self._event is None:
            raise LocustError("to use a request as a with-block, pass catch_response=True")
        self._has_entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        assert self._event is not None  # __enter__ saw to it
        if self._verdict is not None:
            self.request_meta["exception"] = None if self._verdict is True else self._verdict
        elif error is not None:
            if not isinstance(error, ResponseError):
                return False  # the task has failed, and Locust says so
            self.request_meta["exception"], error = error, None
        # The response is not among the rest, where it would hold itself and so outlive its use.
        self._event.fire(**self.request_meta, response=self)
        return error is None

    def _require_block(self, method: str) -> None:
        if not self._has_entered:
            raise LocustError(f"to call {method}(), pass catch_response=True and use a with-block")
