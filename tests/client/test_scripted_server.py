"""The server of the client's tests does what its scripts say, as `requests` sees it."""

from __future__ import annotations

import pytest
import requests

from tests.scripted_server import PATIENCE_S, Ending, ScriptedServer, answer, wait_until


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
