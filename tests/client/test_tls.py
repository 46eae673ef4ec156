"""TLS: who is trusted, what a bad handshake is called, and that it is HTTP as ever behind it."""

from __future__ import annotations

import gevent

import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plimsoll.http1 import errors
from tests.certificates import Certificates
from tests.client.visitor import Visitor, wait_in_loop
from tests.fix_http_servers import BIG_FILE_BYTES, Nginx
from tests.scripted_server import Ending, ScriptedServer, Steps, answer, unanswering_port, wait_until

StartTls = Callable[[str], ScriptedServer]
TEN_BYTES = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
HANDSHAKES: dict[str, tuple[Steps, type[Exception]]] = {
    "closed at once": ([Ending.CLOSE], errors.TlsFailed),
    "reset at once": ([0.02, Ending.RESET], errors.TlsFailed),
    "closed in the handshake": ([b"\x16\x03\x03\x00\x7a\x02", 0.02, Ending.CLOSE], errors.TlsFailed),
    "plain HTTP instead": ([0.02, answer(), Ending.HOLD], errors.TlsFailed),
    "an alert": ([0.02, b"\x15\x03\x03\x00\x02\x02\x28", Ending.HOLD], errors.TlsFailed),
    "garbage": ([b"\x00" * 100, Ending.HOLD], errors.TlsFailed),
}


@pytest.fixture
def trusting(certificates: Certificates) -> dict[str, Any]:
    """Give the attributes of a user that trusts our authority and nobody else."""
    return {"ssl_context_factory": certificates.client_context}


def test_own_authority(nginx: Nginx, trusting: dict[str, Any]) -> None:
    """A user may trust an authority of its own; the connection is kept, so there is one handshake."""
    visitor = Visitor(nginx.tls_url, **trusting)
    replies = [visitor.get("/ok") for _ in range(5)]

    assert [reply.text for reply in replies] == ["ok"] * 5
    assert len({reply.headers["X-Connection"] for reply in replies}) == 1


def test_unknown_authority(nginx: Nginx) -> None:
    """By default only the system's authorities are trusted."""
    assert Visitor(nginx.tls_url).fault("GET", "/ok") is errors.CertificateInvalid


@pytest.mark.parametrize("name", ["expired", "elsewhere", "self_signed"])
def test_bad_certificate(start_tls: StartTls, trusting: dict[str, Any], name: str) -> None:
    """It is refused before anything is sent, every time, and says why."""
    server = start_tls(name)
    path = server.script([answer()])
    visitor = Visitor(server.url, **trusting)

    assert [visitor.fault("GET", path) for _ in range(2)] == [errors.CertificateInvalid] * 2
    wait_until(lambda: server.open_connections == 0)
    assert server.requests == []
    reason = {"expired": "expired", "elsewhere": "mismatch", "self_signed": "self-signed"}[name]
    assert reason in str(visitor.events[0]["exception"])


@pytest.mark.parametrize("name", ["expired", "elsewhere", "self_signed", "good"])
def test_insecure(start_tls: StartTls, name: str) -> None:
    """A user that says so takes any certificate."""
    server = start_tls(name)

    assert Visitor(server.url, insecure=True).get(server.script([answer()])).text == "ok"


def test_name_is_asked_for(certificates: Certificates, trusting: dict[str, Any]) -> None:
    """The server is told the host name that is wanted (SNI), so that it can show the right certificate."""
    asked: list[str | None] = []
    settings = certificates.server_context("good")
    settings.sni_callback = lambda _socket, name, _settings: asked.append(name)
    with closing(ScriptedServer(tls=settings)) as server:
        url = server.url.replace("127.0.0.1", "localhost")

        assert Visitor(url, **trusting).get(server.script([answer()])).text == "ok"
    assert asked == ["localhost"]


@pytest.mark.parametrize("name", HANDSHAKES)
def test_handshake_breaks_off(name: str, trusting: dict[str, Any]) -> None:
    """A handshake that comes to nothing has a name, whatever came instead; the next one is tried anew."""
    turn, fault = HANDSHAKES[name]
    with closing(ScriptedServer(on_connect=turn)) as server:
        visitor = Visitor(server.url.replace("http:", "https:"), **trusting)

        assert [visitor.fault("GET", "/") for _ in range(2)] == [fault] * 2
        assert server.connections == 2


def test_silent_handshake(trusting: dict[str, Any]) -> None:
    """A server that never shakes hands has not connected in time."""
    with unanswering_port(vanished=False) as port:
        visitor = Visitor(f"https://127.0.0.1:{port}", connection_timeout=0.05, **trusting)

        assert visitor.fault("GET", "/") is errors.ConnectTimeout


def test_old_version(certificates: Certificates, trusting: dict[str, Any]) -> None:
    """A server that knows only what nobody should use any more is a failed handshake."""
    settings = certificates.server_context("good")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        settings.maximum_version = ssl.TLSVersion.TLSv1_1

    with closing(ScriptedServer(tls=settings)) as server:
        assert Visitor(server.url, **trusting).fault("GET", "/") is errors.TlsFailed


def test_ipv6(certificates: Certificates, trusting: dict[str, Any]) -> None:
    """A certificate may be for an IPv6 address."""
    with closing(ScriptedServer("::1", tls=certificates.server_context("good"))) as server:
        assert Visitor(server.url, **trusting).get(server.script([answer()])).text == "ok"


def test_plain_request_to_a_tls_port(nginx: Nginx) -> None:
    """Nginx says so with a 400, which is a response like any."""
    response = Visitor(nginx.tls_url.replace("https:", "http:")).get("/ok")

    assert (response.status_code, "plain HTTP request" in response.text) == (400, True)


def test_huge_body(nginx: Nginx, trusting: dict[str, Any]) -> None:
    """32 MiB arrive, and the connection serves on."""
    visitor = Visitor(nginx.tls_url, **trusting)
    big = visitor.get("/big")

    assert len(big.content) == BIG_FILE_BYTES
    assert visitor.get("/ok").headers["X-Connection"] == big.headers["X-Connection"]


def test_huge_upload(start_tls: StartTls, trusting: dict[str, Any]) -> None:
    """A body of many TLS records is sent whole."""
    server, body = start_tls("good"), bytes(range(256)) * (1 << 14)
    path = server.script([answer()])

    assert Visitor(server.url, **trusting).ask("POST", path, data=body).text == "ok"
    assert server.seen(path)[0].body == body


def test_records_of_single_bytes(start_tls: StartTls, trusting: dict[str, Any]) -> None:
    """How the response is cut into records does not matter, nor that several come at once."""
    server = start_tls("good")
    visitor = Visitor(server.url, **trusting)
    path = server.script([bytes([byte]) for byte in answer(b"body")])

    assert [visitor.get(path).text for _ in range(3)] == ["body"] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        ([Ending.CLOSE], errors.ClosedEarly),
        ([TEN_BYTES + b"half", Ending.CLOSE], errors.IncompleteBody),
        ([TEN_BYTES + b"half", 0.05, Ending.RESET], errors.IncompleteBody),
        ([b"garbage\r\n\r\n", Ending.HOLD], errors.MalformedResponse),
    ],
)
def test_response_breaks_off(
    start_tls: StartTls, trusting: dict[str, Any], turn: Steps, fault: type[Exception]
) -> None:
    """The same failures have the same names as without TLS."""
    server = start_tls("good")
    visitor = Visitor(server.url, **trusting)

    assert visitor.fault("GET", server.script(turn)) is fault
    assert visitor.get(server.script([answer()])).text == "ok"


def test_silence(start_tls: StartTls, trusting: dict[str, Any]) -> None:
    """A server that falls silent behind TLS is a read timeout as well."""
    server = start_tls("good")
    visitor = Visitor(server.url, network_timeout=0.05, **trusting)

    assert visitor.fault("GET", server.script([TEN_BYTES + b"half", Ending.HOLD])) is errors.ReadTimeout


def test_connection_closed_while_idle(start_tls: StartTls, trusting: dict[str, Any]) -> None:
    """It is reopened, with a handshake, and counted."""
    server = start_tls("good")
    path = server.script([answer(), 0.02, Ending.CLOSE])
    visitor = Visitor(server.url, **trusting)
    for _ in range(2):
        assert visitor.ask("POST", path).text == "ok"
        wait_in_loop(lambda: server.open_connections == 0)
        gevent.sleep(0.001)  # the kernel has it by now; the loop needs a turn to see it

    assert (server.connections, visitor.counter.reconnects) == (2, 1)


def test_certificate_file_is_missing(tmp_path: Path) -> None:
    """Settings that cannot be used are said when the user is made, not request by request."""
    with pytest.raises(FileNotFoundError):
        Visitor(
            "https://127.0.0.1:1",
            ssl_context_factory=lambda: ssl.create_default_context(cafile=str(tmp_path / "none.pem")),
        )
