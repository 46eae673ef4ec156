"""A new connection: name, address, TCP, TLS."""

from __future__ import annotations

import gevent
from gevent import monkey
from gevent import socket as gevent_socket

import errno
import socket
import ssl
import time
from typing import Any, NamedTuple

from clients.wire.errors import (
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
from clients.wire.tls import TlsCodec
from clients.wire.url import Origin

# Locust replaces both by ones that wait on their own; here waiting is the connection's own business.
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


class Dialled(NamedTuple):
    """An open connection: its socket, its TLS where it has one, and how long each step took."""

    socket: Any
    tls: TlsCodec | None
    dns_s: float
    connect_s: float
    tls_s: float


def dial(origin: Origin, context: ssl.SSLContext | None, timeout_s: float, deadline_s: float) -> Dialled:
    """Open a connection within the timeout and before the deadline (of time.perf_counter).

    Raises ConnectFailed or one of its kinds, TotalTimeout.
    """
    left_s = deadline_s - time.perf_counter()
    timed_out: HttpFailure = ConnectTimeout() if timeout_s < left_s else TotalTimeout()
    with gevent.Timeout(max(0.0, min(timeout_s, left_s)), timed_out):
        started_s = time.perf_counter()
        addresses = _resolve(origin)
        resolved_s = time.perf_counter()
        sock = _connect_to_any(addresses)
        connected_s = time.perf_counter()
        tls = _start_tls(sock, context, origin.host) if context else None
        secured_s = time.perf_counter()
    return Dialled(
        sock,
        tls,
        resolved_s - started_s,
        connected_s - resolved_s,
        secured_s - connected_s,
    )


def _resolve(origin: Origin) -> list[Any]:
    host, port = origin.host, origin.port
    addresses: list[Any]
    try:
        try:
            # Asks nobody, and so need not wait for a thread.
            addresses = _getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            addresses = gevent_socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise NameNotResolved from None
    return addresses


def _connect_to_any(addresses: list[Any]) -> Any:
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
        raise _failure(error.errno) from None
    try:
        code = _connect_socket(sock, address)
    except BaseException:
        sock.close()
        raise
    if code:
        sock.close()
        raise _failure(code)
    return sock


def _connect_socket(sock: Any, address: Any) -> int:
    """Connect and return the error's number, 0 for none."""
    sock.settimeout(0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code: int = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        _wait(sock, WRITABLE)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    # A server that resets the connection has accepted it: that is for the first use of it to find out.
    return 0 if code == errno.ECONNRESET else code


def _failure(code: int | None) -> ConnectFailed:
    kind = _FAILURES.get(code or 0)
    return kind() if kind else ConnectFailed(errno.errorcode.get(code or 0, "unknown"))


def _start_tls(sock: Any, context: ssl.SSLContext, host: str) -> TlsCodec:
    try:
        tls = TlsCodec(context, host)
        is_done, to_send = tls.handshake(b"")
        while not is_done:
            _send_all(sock, to_send)
            is_done, to_send = tls.handshake(_receive(sock))
        _send_all(sock, to_send)
    except BaseException:
        sock.close()
        raise
    return tls


def _send_all(sock: Any, data: bytes) -> None:
    while data:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            _wait(sock, WRITABLE)
        except OSError:
            raise TlsFailed("the server closed the connection") from None


def _receive(sock: Any) -> bytes:
    while True:
        try:
            data: bytes = sock.recv(READ_BYTES)
        except BlockingIOError:
            _wait(sock, READABLE)
            continue
        except OSError:
            data = b""
        if not data:
            raise TlsFailed("the server closed the connection")
        return data


def _wait(sock: Any, event: int) -> None:
    hub = gevent.get_hub()
    watcher = hub.loop.io(sock.fileno(), event)
    try:
        hub.wait(watcher)
    finally:
        watcher.close()
