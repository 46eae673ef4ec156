"""Bytes in, responses out: the protocol of one connection, by httptools' C parser and without any I/O."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from plimsoll.http1.errors import ClosedEarly, HeadersTooLarge, IncompleteBody, MalformedResponse
from plimsoll.http1.response import HEAD_END, ResponseHeaders

MAX_HEAD_BYTES = 64 * 1024
_FIRST_STATUS = 100
_FIRST_FINAL_STATUS = 200


class ResponseParser:
    """Parse the responses of one connection, one after the other.

    After `expect()`, `feed()` returns True as soon as the response is complete: its `status`, its `body`, its
    head as `raw_head`, and `is_reusable`, whether the connection can take another request.
    """

    __slots__ = (
        "_fault",
        "_feed",
        "_head_is_open",
        "_overhead_bytes",
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

    def expect(self, without_body: bool) -> None:
        """Get ready for a response; *without_body*: to HEAD, which has no body whatever its headers say."""
        self.raw_head = b""
        self.is_complete = False
        self._head_is_open = True
        self._pieces: list[bytes] = []
        self._overhead_bytes = 0
        self._without_body = without_body

    def feed(self, data: bytes) -> bool:
        """Take bytes as they come; raises MalformedResponse, HeadersTooLarge."""
        if self._head_is_open:
            if not self.raw_head:
                self.raw_head = data.lstrip(b"\r\n")  # empty lines may precede a response
            else:
                self.raw_head += data
                end = self.raw_head.find(HEAD_END)
                if (len(self.raw_head) if end < 0 else end) > MAX_HEAD_BYTES:
                    raise HeadersTooLarge
        pieces_before = len(self._pieces)
        try:
            self._feed(data)
        except HttpParserError as error:
            if not self.is_complete:
                raise self._fault or MalformedResponse(str(error)) from None
            self.is_reusable = False  # the response is complete, what follows it is junk
        except HttpParserUpgrade:
            raise MalformedResponse("unexpected 101 Switching Protocols") from None
        if not self.is_complete:
            self._note_progress(len(data), sum(map(len, self._pieces[pieces_before:])))
        return self.is_complete

    def finish(self, *, is_clean: bool) -> None:
        """Take the end of the connection for that of the response; raises ClosedEarly, IncompleteBody.

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
        """Take note of the first byte of a response: called by httptools."""
        if self.is_complete:
            self.is_reusable = False  # a second response to one request

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body: called by httptools."""
        if not self.is_complete and not self._without_body:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Take the end of a response: called by httptools."""
        if self.is_complete:
            return
        status = self._parser.get_status_code()
        if status >= _FIRST_FINAL_STATUS:
            self._complete(status, self._parser.should_keep_alive())
        elif status >= _FIRST_STATUS:
            self.raw_head = self.raw_head.partition(HEAD_END)[2].lstrip(b"\r\n")
        else:
            self._fault = MalformedResponse("Invalid status code")
            raise self._fault  # into httptools, which raises an error of its own

    def _complete(self, status: int, is_reusable: bool) -> None:
        pieces, head = self._pieces, self.raw_head
        self.status = status
        self.body = body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.is_complete = True
        self.is_reusable = is_reusable and (not self._without_body or head.endswith(HEAD_END))
        if self._head_is_open:
            # The body came with the head: to cut it off takes less time than to look for the head's end.
            head = head[: len(head) - len(body)]
            self.raw_head = head if head.endswith(HEAD_END) else head.partition(HEAD_END)[0] + HEAD_END

    def _note_progress(self, received_bytes: int, body_bytes: int) -> None:
        """Close the head where it has ended; raise HeadersTooLarge for over 64 KB in a row without progress.

        Progress is the end of a head, and bytes of a body: interim responses, chunk extensions and trailers
        may not go on without end.
        """
        useful_bytes = body_bytes
        end = self.raw_head.find(HEAD_END) if self._head_is_open else -1
        if end >= 0:
            self._head_is_open = False
            if self._without_body:
                # The body is not what the headers say: they alone say whether the connection stays open.
                connection = ResponseHeaders(self.raw_head).get("connection", "").lower()
                is_old = self._parser.get_http_version() == "1.0"
                stays_open = "keep-alive" in connection if is_old else "close" not in connection
                self._complete(self._parser.get_status_code(), stays_open)
                self._start_parser()  # the old one waits for a body
            head_bytes = end + len(HEAD_END)
            useful_bytes += received_bytes - (len(self.raw_head) - head_bytes)
            self.raw_head = self.raw_head[:head_bytes]
        if useful_bytes:
            self._overhead_bytes = 0
        self._overhead_bytes += received_bytes - useful_bytes
        if self._overhead_bytes > MAX_HEAD_BYTES:
            raise HeadersTooLarge

    def _start_parser(self) -> None:
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data
