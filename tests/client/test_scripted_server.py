"""The server of the client's tests does what its scripts say, as `requests` sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.certificates import Certificates
from tests.scripted_server import PATIENCE_S, Ending, ScriptedServer, answer, unanswering_port, wait_until


def test_script_is_played_turn_by_turn(server: ScriptedServer) -> None:
    """Turns follow one another, the last repeats, and requests are remembered."""
    path = server.script([answer(b"first")], [0.01, answer(b"second"), Ending.CLOSE])
    with requests.Session() as session:
        bodies = [session.post(server.url + path, data="x").content for _ in range(2)]
        wait_until(lambda: server.open_connections == 0)  # else the third may meet a closing one
        bodies.append(session.post(server.url + path, data="x").content)

    assert bodies == [b"first", b"second", b"second"]
    assert [(seen.connection, seen.method, seen.body) for seen in server.seen(path)] == [
        (1, "POST", b"x"),
        (1, "POST", b"x"),
        (2, "POST", b"x"),
    ]
    wait_until(lambda: server.open_connections == 0)


@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.RESET])
def test_connection_ends(server: ScriptedServer, ending: Ending) -> None:
    """A connection that ends without an answer is an error at once."""
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url + server.script([ending]), timeout=PATIENCE_S)


@pytest.mark.parametrize("ending", [Ending.HOLD, Ending.VANISH])
def test_connection_falls_silent(server: ScriptedServer, ending: Ending) -> None:
    """A connection that is held ends by the client's patience."""
    with pytest.raises(requests.ReadTimeout):
        requests.get(server.url + server.script([ending]), timeout=(PATIENCE_S, 0.05))


@pytest.mark.parametrize(
    ("vanished", "fault"), [(True, requests.ConnectTimeout), (False, requests.ReadTimeout)]
)
def test_port_does_not_answer(vanished: bool, fault: type[Exception]) -> None:
    """A backlog takes a connection, a vanished port takes none."""
    with unanswering_port(vanished=vanished) as port, pytest.raises(fault):
        requests.get(f"http://127.0.0.1:{port}/", timeout=(0.05 if vanished else PATIENCE_S, 0.05))


@pytest.mark.parametrize("name", ["expired", "elsewhere", "self_signed"])
def test_bad_certificates_are_bad(
    start_tls: Callable[[str], ScriptedServer], certificates: Certificates, name: str
) -> None:
    """Each is refused by a client that checks, and only by that."""
    server = start_tls(name)
    url = server.url + server.script([answer()])

    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        requests.get(url, verify=str(certificates.authority), timeout=PATIENCE_S)


def test_good_certificate_is_good(
    start_tls: Callable[[str], ScriptedServer], certificates: Certificates
) -> None:
    """The server server can behave over TLS."""
    server = start_tls("good")

    reply = requests.get(
        server.url + server.script([answer()]), verify=str(certificates.authority), timeout=PATIENCE_S
    )

    assert reply.text == "ok"
