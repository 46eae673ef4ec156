"""How a request can fail, each way with a name and a text that is the same for equal faults.

HttpFailure
├── ConnectFailed           no connection
│   ├── NameNotResolved
│   ├── ConnectionRefused
│   ├── ConnectTimeout
│   ├── HostUnreachable
│   ├── NoFreePort          the generator's own limits
│   ├── TooManyOpenFiles
│   └── TlsFailed
│       └── CertificateInvalid
├── ReadTimeout             no byte came for too long
├── TotalTimeout            the request took too long as a whole
├── ClosedEarly             no whole answer
│   └── IncompleteBody
├── MalformedResponse       an answer that breaks the protocol
│   ├── HeadersTooLarge
│   └── DecodingFailed
├── RedirectFailed
│   └── TooManyRedirects
└── BadStatus               a whole answer with a status of 400 or more
"""
# ruff: noqa: N818 - a failure is named after what happened, in the words of its row in a report

from __future__ import annotations


class HttpFailure(Exception):
    """The request failed."""

    def __init__(self, detail: str = "") -> None:
        summary = (type(self).__doc__ or "").partition(".")[0]
        super().__init__(f"{summary}: {detail}" if detail else summary)


class ConnectFailed(HttpFailure):
    """no connection could be opened."""


class NameNotResolved(ConnectFailed):
    """the host name has no address."""


class ConnectionRefused(ConnectFailed):
    """the server refused the connection."""


class ConnectTimeout(ConnectFailed):
    """no connection was open in time."""


class HostUnreachable(ConnectFailed):
    """there is no way to the host."""


class NoFreePort(ConnectFailed):
    """the load generator has no free port left for a connection to this address."""


class TooManyOpenFiles(ConnectFailed):
    """the load generator may not open more files."""


class TlsFailed(ConnectFailed):
    """the TLS handshake failed."""


class CertificateInvalid(TlsFailed):
    """the server's certificate is not valid."""


class ReadTimeout(HttpFailure):
    """the server was silent for too long."""


class TotalTimeout(HttpFailure):
    """the request took too long as a whole."""


class ClosedEarly(HttpFailure):
    """the server closed the connection before the headers were complete."""


class IncompleteBody(ClosedEarly):
    """the server closed the connection before the body was complete."""


class MalformedResponse(HttpFailure):
    """the answer breaks the protocol."""


class HeadersTooLarge(MalformedResponse):
    """the answer's headers are larger than 64 KB."""


class DecodingFailed(MalformedResponse):
    """the body cannot be decoded."""


class RedirectFailed(HttpFailure):
    """the redirect cannot be followed."""


class TooManyRedirects(RedirectFailed):
    """the redirects did not end."""


class BadStatus(HttpFailure):
    """the server answered with an error status."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code
