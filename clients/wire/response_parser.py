"""Bytes in, answers out: the protocol of one connection, by httptools' C parser and without any I/O."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from clients.wire.errors import ClosedEarly, HeadersTooLarge, IncompleteBody, MalformedResponse
from clients.wire.response_head import HEAD_END, ResponseHeaders

MAX_HEAD_BYTES = 64 * 1024
_FIRST_STATUS = 100
_FIRST_FINAL_STATUS = 200


class ResponseParser:
    """Read the answers of one connection, one after the other.

    After `expect()`, `feed()` returns True as soon as the answer is whole: its `status`, its `body`, its head
    as `raw_head`, and `is_reusable`, whether the connection may be asked again.
    """

    __slots__ = (
        "_bodiless_bytes",
        "_fault",
        "_feed",
        "_head_is_open",
        "_parser",
        "_pieces",
        "_without_body",
        "body",
        "is_complete",
        "is_reusable",
        "raw_head",
        "status",
    )

    def __init__(self) -> None:
        self._start_parser()
        self._fault: MalformedResponse | None = None
        self.expect(without_body=False)

    def expect(self, *, without_body: bool) -> None:
        """Get ready for an answer; *without_body*: one to HEAD, which has none whatever its headers say."""
        self.raw_head = b""
        self.is_complete = False
        self._head_is_open = True
        self._pieces: list[bytes] = []
        self._bodiless_bytes = 0
        self._without_body = without_body

    def feed(self, data: bytes) -> bool:
        """Take bytes as they come; raises MalformedResponse, HeadersTooLarge."""
        if self._head_is_open:
            if self.raw_head:
                self._extend_head(data)
            else:
                self.raw_head = data.lstrip(b"\r\n")  # empty lines may precede an answer
        pieces_before = len(self._pieces)
        try:
            self._feed(data)
        except HttpParserError as error:
            if not self.is_complete:
                raise self._fault or MalformedResponse(str(error)) from None
            self.is_reusable = False  # the answer is whole, what follows it is none
        except HttpParserUpgrade:
            raise MalformedResponse("the protocol was switched unasked") from None
        if not self.is_complete:
            self._limit_bodiless(len(data), pieces_before)
        return self.is_complete

    def finish(self, *, is_clean: bool) -> None:
        """Take the end of the connection for that of the answer; raises ClosedEarly, IncompleteBody.

        *is_clean*: the server has closed the connection, which was not reset nor cut off.
        """
        if self._head_is_open:
            raise ClosedEarly
        headers = ResponseHeaders(self.raw_head)
        is_framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
        if is_framed or not is_clean:
            raise IncompleteBody
        self._complete(self._parser.get_status_code(), is_reusable=False)

    def release(self) -> None:
        """Let go of the C parser, which holds this object as this object holds it."""
        del self._parser, self._feed

    def on_message_begin(self) -> None:
        """Take note of the first byte of an answer: called by httptools."""
        if self.is_complete:
            self.is_reusable = False  # nobody asked for a second one

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body: called by httptools."""
        if not self.is_complete and not self._without_body:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Take the end of an answer: called by httptools."""
        if self.is_complete:
            return
        status = self._parser.get_status_code()
        if status >= _FIRST_FINAL_STATUS:
            self._complete(status, is_reusable=self._parser.should_keep_alive())
        elif status >= _FIRST_STATUS:
            self.raw_head = self.raw_head.partition(HEAD_END)[2].lstrip(b"\r\n")
        else:
            self._fault = MalformedResponse("Invalid status code")
            raise self._fault  # into httptools, which raises an error of its own

    def _complete(self, status: int, *, is_reusable: bool) -> None:
        self.status = status
        self.body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self.is_complete = True
        self.is_reusable = is_reusable and (not self._without_body or self.raw_head.endswith(HEAD_END))
        if self._head_is_open:
            # The body came with the head: to leave it out takes less time than to look for the head's end.
            head = self.raw_head[: len(self.raw_head) - len(self.body)]
            self.raw_head = head if head.endswith(HEAD_END) else head.partition(HEAD_END)[0] + HEAD_END

    def _extend_head(self, data: bytes) -> None:
        self.raw_head += data
        end = self.raw_head.find(HEAD_END)
        if (len(self.raw_head) if end < 0 else end) > MAX_HEAD_BYTES:
            raise HeadersTooLarge

    def _limit_bodiless(self, received_bytes: int, pieces_before: int) -> None:
        """Raise HeadersTooLarge when interim answers, headers or trailers do not end."""
        useful_bytes = self._end_head(received_bytes) + sum(map(len, self._pieces[pieces_before:]))
        if useful_bytes:
            self._bodiless_bytes = 0
        self._bodiless_bytes += received_bytes - useful_bytes
        if self._bodiless_bytes > MAX_HEAD_BYTES:
            raise HeadersTooLarge

    def _end_head(self, received_bytes: int) -> int:
        """Close the head if what was received ends it; return how many bytes of that belong to the head."""
        end = self.raw_head.find(HEAD_END) if self._head_is_open else -1
        if end < 0:
            return 0
        self._head_is_open = False
        if self._without_body:
            self._complete(self._parser.get_status_code(), is_reusable=self._keeps_open())
            self._start_parser()  # the old one waits for a body
        body_bytes = len(self.raw_head) - end - len(HEAD_END)
        self.raw_head = self.raw_head[: end + len(HEAD_END)]
        return received_bytes - body_bytes

    def _keeps_open(self) -> bool:
        """Say whether the connection stays open where the body's length, or its lack, says nothing."""
        connection = ResponseHeaders(self.raw_head).get("connection", "").lower()
        return (
            "keep-alive" in connection
            if self._parser.get_http_version() == "1.0"
            else "close" not in connection
        )

    def _start_parser(self) -> None:
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data
