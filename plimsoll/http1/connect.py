"""A new connection: its name resolved, TCP connected, TLS agreed on."""

from __future__ import annotations

import gevent
from gevent import monkey
from gevent import socket as gevent_socket

import errno
import socket
import ssl
import time
from functools import cache
from typing import Any, NamedTuple

from plimsoll.http1.errors import (
    CertificateInvalid,
    ConnectFailed,
    ConnectionRefused,
    ConnectTimeout,
    HostUnreachable,
    HttpFailure,
    NameNotResolved,
    NoFreePort,
    TlsFailed,
    TooManyOpenFiles,
    TotalTimeout,
)
from plimsoll.http1.url import Origin

# Locust replaces both by cooperative ones; these never block: who uses them waits in the event loop.
Socket = monkey.get_original("socket", "socket")
_getaddrinfo = monkey.get_original("socket", "getaddrinfo")

READABLE, WRITABLE = 1, 2  # libev's READ and WRITE
READ_BYTES = 64 * 1024
_FAILURES: dict[int, type[ConnectFailed]] = {
    errno.ECONNREFUSED: ConnectionRefused,
    errno.ETIMEDOUT: ConnectTimeout,
    errno.ENETUNREACH: HostUnreachable,
    errno.EHOSTUNREACH: HostUnreachable,
    errno.EADDRNOTAVAIL: NoFreePort,
    errno.EMFILE: TooManyOpenFiles,
    errno.ENFILE: TooManyOpenFiles,
}


class TlsCodec:
    """Encrypt and decrypt the bytes of one connection in memory, without any I/O."""

    __slots__ = ("_incoming", "_outgoing", "_session", "is_closed")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.is_closed = False  # by TLS's close_notify, not just by the end of the connection

    def handshake(self, received: bytes) -> tuple[bool, bytes]:
        """Go on with the handshake: return whether it is done, and the bytes to send.

        Raises CertificateInvalid, TlsFailed.
        """
        self._incoming.write(received)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False, self._outgoing.read()
        except ssl.SSLCertVerificationError as error:
            raise CertificateInvalid(error.verify_message) from None
        except (ssl.SSLError, ValueError) as error:
            raise TlsFailed(_reason_of(error)) from None
        return True, self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """Return the bytes to send, with whatever else TLS has to send."""
        self._session.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> bytes:
        """Return what was received, which may be nothing yet; raises TlsFailed."""
        self._incoming.write(data)
        pieces = []
        try:
            while piece := self._session.read(READ_BYTES):
                pieces.append(piece)
            self.is_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_closed = True
        except ssl.SSLError as error:
            raise TlsFailed(_reason_of(error)) from None
        return b"".join(pieces)


class OpenSocket(NamedTuple):
    """The socket of an open connection, and its TLS where it has one."""

    socket: Any
    tls: TlsCodec | None


@cache
def default_ssl_context(*, insecure: bool) -> ssl.SSLContext:
    """Return the TLS settings all connections share; *insecure*: accept any certificate."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def open_socket(
    origin: Origin, context: ssl.SSLContext | None, timeout_s: float, deadline_s: float
) -> OpenSocket:
    """Open a connection within the timeout and before the deadline (of time.perf_counter).

    Raises ConnectFailed or one of its kinds, TotalTimeout.
    """
    left_s = deadline_s - time.perf_counter()
    timed_out: HttpFailure = ConnectTimeout() if timeout_s < left_s else TotalTimeout()
    with gevent.Timeout(max(0.0, min(timeout_s, left_s)), timed_out):
        sock = _connect_to_any(origin)
        if context is None:
            return OpenSocket(sock, None)
        try:
            return OpenSocket(sock, _shake_hands(sock, context, origin.host))
        except BaseException:
            sock.close()
            raise


def _connect_to_any(origin: Origin) -> Any:
    host, port = origin.host, origin.port
    addresses: list[Any]
    try:
        try:
            # Queries no server, and so needs no thread to wait in.
            addresses = _getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            addresses = gevent_socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise NameNotResolved from None
    failure = ConnectFailed()
    for family, kind, protocol, _, address in addresses:
        try:
            return _connect(family, kind, protocol, address)
        except ConnectFailed as error:
            failure = error
    raise failure


def _connect(family: int, kind: int, protocol: int, address: Any) -> Any:
    try:
        sock = Socket(family, kind, protocol)
    except OSError as error:
        raise _failure_of(error.errno) from None
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code: int = sock.connect_ex(address)
        if code == errno.EINPROGRESS:
            _wait(sock, WRITABLE)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except BaseException:
        sock.close()
        raise
    # A server that resets the connection has accepted it: its first use finds that out.
    if code not in (0, errno.ECONNRESET):
        sock.close()
        raise _failure_of(code)
    return sock


def _failure_of(code: int | None) -> ConnectFailed:
    kind = _FAILURES.get(code or 0)
    return kind() if kind else ConnectFailed(errno.errorcode.get(code or 0, "unknown"))


def _shake_hands(sock: Any, context: ssl.SSLContext, host: str) -> TlsCodec:
    tls = TlsCodec(context, host)
    is_done, to_send = tls.handshake(b"")
    while not is_done:
        _send_all(sock, to_send)
        data = None
        while data is None:
            try:
                data = sock.recv(READ_BYTES)
            except BlockingIOError:
                _wait(sock, READABLE)
            except OSError:
                data = b""
        if not data:
            raise TlsFailed("the server closed the connection")
        is_done, to_send = tls.handshake(data)
    _send_all(sock, to_send)
    return tls


def _send_all(sock: Any, data: bytes) -> None:
    while data:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            _wait(sock, WRITABLE)
        except OSError:
            raise TlsFailed("the server closed the connection") from None


def _wait(sock: Any, event: int) -> None:
    hub = gevent.get_hub()
    watcher = hub.loop.io(sock.fileno(), event)
    try:
        hub.wait(watcher)
    finally:
        watcher.close()


def _reason_of(error: Exception) -> str:
    return str(getattr(error, "reason", None) or type(error).__name__).lower().replace("_", " ")
