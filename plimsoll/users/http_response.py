"""The response that a LeanHttpUser gets, and its with-block, which decides whether it is a failure."""

from __future__ import annotations

from locust.event import EventHook
from locust.exception import CatchResponseError, LocustError, ResponseError

from types import TracebackType
from typing import Any, Self

from plimsoll.http1.response import Response


class LeanResponse(Response):
    """A response with its request event; with `catch_response` it is a with-block, whose end fires that."""

    __slots__ = (
        "_context",
        "_event",
        "_has_entered",
        "_name",
        "_request_meta",
        "_request_type",
        "_request_url",
        "_start_time",
        "_verdict",
        "js",
    )
    js: Any  # the parsed JSON, set by Locust's rest()

    def report_to(
        self,
        event: EventHook,
        request_type: str,
        name: str,
        context: dict[str, Any],
        start_time: float,
        request_url: str,
    ) -> None:
        """Take the fields of the request event that are not those of the response itself."""
        self._event: EventHook | None = event
        self._request_type = request_type
        self._name = name
        self._context = context
        self._start_time = start_time
        self._request_url = request_url
        self._request_meta: dict[str, Any] | None = None
        self._verdict: Exception | bool | None = None
        self._has_entered = False

    @property
    def request_meta(self) -> dict[str, Any]:
        """What the request event will say, which may be changed in the with-block."""
        if self._request_meta is None:
            self._request_meta = {
                "request_type": self._request_type,
                "name": self._name,
                "response_time": self.elapsed_s * 1000,
                "response_length": len(self.content or b""),
                "context": self._context,
                "exception": self.error,
                "start_time": self._start_time,
                "url": self._request_url,
            }
        return self._request_meta

    def report(self) -> None:
        """Fire the request event, once."""
        event, self._event = self._event, None
        assert event is not None  # each response is reported once
        verdict = self._verdict
        exception = self.error if verdict is None else None if verdict is True else verdict
        if self._request_meta is not None:
            if verdict is not None:
                self._request_meta["exception"] = exception
            # The response is not part of request_meta, where it would hold itself and so outlive its use.
            event.fire(**self._request_meta, response=self)
            return
        # Spelled out, as to pass a dictionary takes a tenth of the time of the whole request.
        event.fire(
            request_type=self._request_type,
            name=self._name,
            response_time=self.elapsed_s * 1000,
            response_length=len(self.content or b""),
            context=self._context,
            exception=exception,
            start_time=self._start_time,
            url=self._request_url,
            response=self,
        )

    def raise_for_status(self) -> None:
        """Raise the failure that the with-block has set, or, where it has set nothing, the error."""
        if isinstance(self._verdict, Exception):
            raise self._verdict
        if self._verdict is None:
            super().raise_for_status()

    def success(self) -> None:
        """Count the request as a success, whatever the status; within the with-block."""
        self._require_block("success")
        self._verdict = True

    def failure(self, reason: object) -> None:
        """Count the request as a failure; within the with-block.

        The reason is an exception, or a text that is the same for equal failures.
        """
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
        if self._verdict is None and error is not None:
            if not isinstance(error, ResponseError):
                return False  # the task has failed, and Locust reports that
            self._verdict, error = error, None
        self.report()
        return error is None

    def _require_block(self, method: str) -> None:
        if not self._has_entered:
            raise LocustError(f"to call {method}(), pass catch_response=True and use a with-block")
