"""The servers of the client's tests are what they claim to be, as `requests` sees them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
import requests

from tests.certificates import Certificates
from tests.fix_http_servers import BIG_FILE_BYTES, TEXT, Nginx
from tests.hostile_server import Ending, HostileServer, answer, unanswering_port, wait_until


def test_nginx_counts_connections(nginx: Nginx) -> None:
    """One session keeps one connection."""
    with requests.Session() as session:
        replies = [session.get(f"{nginx.url}/ok") for _ in range(3)]

    assert [reply.text for reply in replies] == ["ok"] * 3
    assert len({reply.headers["X-Connection"] for reply in replies}) == 1


def test_nginx_serves_files(nginx: Nginx) -> None:
    """It compresses text and has a big file."""
    text = requests.get(f"{nginx.url}/text.txt", timeout=5)

    assert text.headers["Content-Encoding"] == "gzip"
    assert text.text == TEXT
    assert requests.head(f"{nginx.url}/big", timeout=5).headers["Content-Length"] == str(BIG_FILE_BYTES)


def test_nginx_speaks_tls(nginx: Nginx, certificates: Certificates) -> None:
    """Its certificate is good for those who trust our authority."""
    reply = requests.get(f"{nginx.tls_url}/ok", verify=str(certificates.authority), timeout=5)

    assert reply.text == "ok"


def test_echo_tells_what_it_saw(echo_url: str) -> None:
    """Body and header carry the same."""
    reply = requests.post(f"{echo_url}/a%20b?c=d", data=b"\xff", timeout=5)

    saw = reply.json()
    assert (saw["method"], saw["path"], saw["query"], saw["body"]) == ("POST", "/a%20b", "c=d", "\xff")
    assert json.loads(base64.b64decode(reply.headers["X-Saw"])) == saw


def test_script_is_played_turn_by_turn(hostile: HostileServer) -> None:
    """Turns follow one another, the last repeats, and requests are remembered."""
    path = hostile.script([answer(b"first")], [0.01, answer(b"second"), Ending.CLOSE])
    with requests.Session() as session:
        bodies = [session.post(hostile.url + path, data="x").content for _ in range(2)]
        wait_until(lambda: hostile.open_connections == 0)  # else the third may meet a closing one
        bodies.append(session.post(hostile.url + path, data="x").content)

    assert bodies == [b"first", b"second", b"second"]
    assert [(seen.connection, seen.method, seen.body) for seen in hostile.seen(path)] == [
        (1, "POST", b"x"),
        (1, "POST", b"x"),
        (2, "POST", b"x"),
    ]
    wait_until(lambda: hostile.open_connections == 0)


@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.RESET])
def test_connection_ends(hostile: HostileServer, ending: Ending) -> None:
    """A connection that ends without an answer is an error at once."""
    with pytest.raises(requests.ConnectionError):
        requests.get(hostile.url + hostile.script([ending]), timeout=5)


@pytest.mark.parametrize("ending", [Ending.HOLD, Ending.VANISH])
def test_connection_falls_silent(hostile: HostileServer, ending: Ending) -> None:
    """A connection that is held ends by the client's patience."""
    with pytest.raises(requests.ReadTimeout):
        requests.get(hostile.url + hostile.script([ending]), timeout=0.1)


@pytest.mark.parametrize(
    ("vanished", "fault"), [(True, requests.ConnectTimeout), (False, requests.ReadTimeout)]
)
def test_port_does_not_answer(vanished: bool, fault: type[Exception]) -> None:
    """A backlog takes a connection, a vanished port takes none."""
    with unanswering_port(vanished=vanished) as port, pytest.raises(fault):
        requests.get(f"http://127.0.0.1:{port}/", timeout=0.1)


@pytest.mark.parametrize("name", ["expired", "elsewhere", "self_signed"])
def test_bad_certificates_are_bad(
    hostile_tls: Callable[[str], HostileServer], certificates: Certificates, name: str
) -> None:
    """Each is refused by a client that checks, and only by that."""
    server = hostile_tls(name)
    url = server.url + server.script([answer()])

    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        requests.get(url, verify=str(certificates.authority), timeout=5)


def test_good_certificate_is_good(
    hostile_tls: Callable[[str], HostileServer], certificates: Certificates
) -> None:
    """The hostile server can behave over TLS."""
    server = hostile_tls("good")

    reply = requests.get(
        server.url + server.script([answer()]), verify=str(certificates.authority), timeout=5
    )

    assert reply.text == "ok"
