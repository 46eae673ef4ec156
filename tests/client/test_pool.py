"""Connections of one user: parallel requests, requests that are killed, and what is left of them."""

from __future__ import annotations

import gevent
from gevent.pool import Group

import gc
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plimsoll.http1.errors import TotalTimeout
from tests.certificates import Certificates
from tests.client.visitor import Visitor, close_all, wait_in_loop
from tests.scripted_server import PATIENCE_S, Ending, ScriptedServer, Turn, answer, unanswering_port


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for_nothing_open(server: ScriptedServer, most_files: int) -> None:
    """Wait until both sides have closed all connections, also those that the server has not taken yet."""
    last = Visitor(server.url)
    last.get(server.script([answer()]))  # the server takes connections in turn: none before this one waits
    last.client.close()
    # A server closes its file before it forgets the connection, which is why files are looked at first.
    wait_in_loop(lambda: open_files() <= most_files and server.open_connections == 0)


def set_when(event: threading.Event, condition: Callable[[], bool]) -> None:
    """Set an event as soon as a condition holds."""
    wait_in_loop(condition)
    event.set()


def in_parallel(visitor: Visitor, paths: list[str]) -> list[Any]:
    """Send all requests at once and return the responses."""
    senders = [gevent.spawn(visitor.get, path) for path in paths]
    gevent.joinall(senders, timeout=PATIENCE_S, raise_error=True)
    return [sender.value for sender in senders]


def test_parallel_requests(server: ScriptedServer) -> None:
    """One user's requests at the same time do not wait for each other, and get each its own response."""
    all_came = threading.Event()
    path = server.script(lambda seen: [all_came, answer(seen.target.encode())])
    targets = [f"{path}?number={number}" for number in range(8)]
    setter = gevent.spawn(set_when, all_came, lambda: len(server.requests) == 8)
    replies = in_parallel(Visitor(server.url), targets)

    assert [reply.text for reply in replies] == targets
    assert setter.successful()


def test_pool_is_used_again(server: ScriptedServer) -> None:
    """Connections opened for parallel requests serve the next ones; one after the other needs but one."""
    path = server.script([0.05, answer()])
    visitor = Visitor(server.url)
    for _ in range(3):
        in_parallel(visitor, [path] * 4)
    alone = server.script([answer()])
    for _ in range(4):
        visitor.get(alone)

    assert server.connections == 4
    assert len({seen.connection for seen in server.seen(alone)}) == 1


def test_pool_has_a_limit(server: ScriptedServer) -> None:
    """More requests than `concurrency` wait for a connection; their waiting counts."""
    path = server.script([0.1, answer()])
    visitor = Visitor(server.url, concurrency=2)
    replies = in_parallel(visitor, [path] * 6)

    assert [reply.text for reply in replies] == ["ok"] * 6
    assert server.connections == 2
    assert max(event["response_time"] for event in visitor.events) >= 300  # three of 100 ms in a row


def test_waiting_for_the_pool_ends(server: ScriptedServer) -> None:
    """A request that gets no connection in its whole time has failed; the pool is not harmed."""
    hurried_ended = threading.Event()
    visitor = Visitor(server.url, concurrency=1)
    holder = gevent.spawn(visitor.get, server.script([hurried_ended, answer(b"held")]))
    wait_in_loop(lambda: len(server.requests) == 1)
    failure = visitor.fault("GET", server.script([answer()]), timeout=0.05)
    hurried_ended.set()
    holder.join(PATIENCE_S)

    assert failure is TotalTimeout
    assert (holder.value.text, visitor.get(server.script([answer()])).text) == ("held", "ok")
    assert server.connections == 1


def test_failure_frees_its_place(server: ScriptedServer) -> None:
    """Requests that fail one after another do not use the pool up."""
    visitor = Visitor(server.url, concurrency=2)
    broken = server.script([Ending.CLOSE])
    for _ in range(5):
        in_parallel(visitor, [broken] * 2)

    assert [reply.text for reply in in_parallel(visitor, [server.script([answer()])] * 2)] == ["ok"] * 2


def test_failure_stays_with_its_request(server: ScriptedServer) -> None:
    """A parallel request that breaks off, or is killed, disturbs no other."""
    visitor = Visitor(server.url)
    fine, broken, held = (
        server.script([0.2, answer()]),
        server.script([0.05, Ending.RESET]),
        server.script([Ending.HOLD]),
    )
    killed = gevent.spawn(visitor.get, held)
    gevent.spawn_later(0.1, killed.kill)
    replies = in_parallel(visitor, [fine, broken, fine, broken, fine])

    assert [reply.status_code for reply in replies] == [200, 0, 200, 0, 200]
    assert killed.ready()


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.003, 0.01])
def test_kills_leave_no_file_open(server: ScriptedServer, seconds: float) -> None:
    """However far it got, a request that is killed closes its connection and leaves nothing behind."""
    paths = [
        server.script([Ending.HOLD]),
        server.script([b"HTTP/1.1 200 OK\r\nContent-Le", Ending.HOLD]),
        server.script([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Ending.HOLD]),
        server.script([0.001, answer(), Ending.HOLD]),
    ]
    Visitor(server.url).get(server.script([answer(), Ending.CLOSE]))
    before = open_files()
    visitors = [Visitor(server.url) for _ in range(40)]
    group = Group()
    senders = [group.spawn(visitor.get, paths[number % 4]) for number, visitor in enumerate(visitors)]
    gevent.sleep(seconds)
    group.kill(timeout=PATIENCE_S)
    close_all()
    wait_for_nothing_open(server, before)

    assert all(sender.dead for sender in senders)


def test_kill_while_waiting_for_the_pool(server: ScriptedServer) -> None:
    """A request that was killed before it got a connection leaves its place to the next."""
    others_died = threading.Event()
    visitor = Visitor(server.url, concurrency=1)
    path = server.script([others_died, answer()])
    senders = [gevent.spawn(visitor.get, path) for _ in range(5)]
    wait_in_loop(lambda: len(server.requests) == 1)
    gevent.killall(senders[1:4], timeout=PATIENCE_S)
    others_died.set()
    gevent.joinall(senders, timeout=PATIENCE_S)

    assert [senders[number].value.text for number in (0, 4)] == ["ok", "ok"]
    assert len(server.seen(path)) == 2
    assert visitor.get(path).text == "ok"


def test_kill_of_the_next_in_turn(server: ScriptedServer) -> None:
    """A request that was killed just as its turn had come leaves that to the one behind it."""
    visitor = Visitor(server.url, concurrency=1)
    path = server.script([Ending.HOLD], [answer()])
    holder, following, last = (gevent.spawn(visitor.get, path) for _ in range(3))
    wait_in_loop(lambda: len(server.requests) == 1)
    gevent.killall([holder, following], timeout=PATIENCE_S)
    last.join(PATIENCE_S)

    assert last.value.text == "ok"


def test_timeout_of_the_task(server: ScriptedServer) -> None:
    """A task's own gevent.Timeout goes on its way, and leaves the client usable."""
    visitor = Visitor(server.url, concurrency=1)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        visitor.client.get(server.script([Ending.HOLD]))

    assert visitor.get(server.script([answer()])).text == "ok"
    assert len(visitor.events) == 1


@pytest.mark.parametrize(("scheme", "vanished"), [("http", True), ("https", False)])
def test_kill_while_connecting(certificates: Certificates, scheme: str, vanished: bool) -> None:
    """A connection that is not open yet, or in its handshake, is given up as well."""
    settings = certificates.client_context()
    Visitor(f"{scheme}://127.0.0.1:1", ssl_context_factory=lambda: settings).get("/")
    before = open_files()
    with unanswering_port(vanished=vanished) as port:
        visitor = Visitor(f"{scheme}://127.0.0.1:{port}", ssl_context_factory=lambda: settings)
        senders = [gevent.spawn(visitor.get, "/") for _ in range(5)]
        gevent.sleep(0.05)
        gevent.killall(senders, timeout=PATIENCE_S)

    gc.collect()
    wait_in_loop(lambda: open_files() <= before)
    assert [type(sender.value) for sender in senders] == [gevent.GreenletExit] * 5


def test_user_that_is_gone(server: ScriptedServer) -> None:
    """When Locust drops a user its idle connections are closed."""
    before = open_files()
    visitors = [Visitor(server.url) for _ in range(20)]
    path = server.script([answer()])
    for visitor in visitors:
        visitor.get(path)
    assert server.connections == 20
    group = Group()
    for visitor in visitors:
        visitor.user.start(group)
    group.kill(timeout=PATIENCE_S)

    wait_in_loop(lambda: server.open_connections == 0 and open_files() <= before)


def test_faults_leave_no_file_open(server: ScriptedServer) -> None:
    """Nor does any way of failing, over and over."""
    visitor = Visitor(server.url, network_timeout=0.02)
    turns: list[Turn] = [
        [Ending.CLOSE],
        [Ending.RESET],
        [Ending.HOLD],
        [b"garbage\r\n\r\n", Ending.HOLD],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Ending.CLOSE],
        [answer() + b"junk", Ending.HOLD],
    ]
    paths = [server.script(turn) for turn in turns]
    visitor.get(paths[0])
    wait_in_loop(lambda: server.open_connections == 0)
    before = open_files()
    for path in paths * 5:
        visitor.get(path)
    wait_for_nothing_open(server, before)

    assert [len(server.seen(path)) for path in paths] == [6, 5, 5, 5, 5, 5]


def test_two_hundred_users_at_once(server: ScriptedServer) -> None:
    """Many users share one event loop; none waits for another's response."""
    all_came = threading.Event()
    path = server.script([all_came, answer()])
    visitors = [Visitor(server.url) for _ in range(200)]
    group = Group()
    for visitor in visitors:
        group.spawn(visitor.get, path)
    set_when(all_came, lambda: len(server.requests) == 200)
    group.join(timeout=PATIENCE_S)

    assert [visitor.events[0]["exception"] for visitor in visitors] == [None] * 200


def test_parallel_over_tls(start_tls: Callable[[str], ScriptedServer], certificates: Certificates) -> None:
    """Parallel handshakes and responses do not disturb each other."""
    server = start_tls("good")
    path = server.script([0.05, answer(b"x" * 100_000)])
    visitor = Visitor(server.url, ssl_context_factory=certificates.client_context)

    assert [len(reply.content) for reply in in_parallel(visitor, [path] * 5)] == [100_000] * 5
    assert server.connections == 5


def test_server_without_patience(server: ScriptedServer) -> None:
    """One that closes after every response without saying so costs a connection a request, and no failure."""
    path = server.script([answer(), Ending.CLOSE])
    visitor = Visitor(server.url)
    with closing(server):
        replies = [visitor.get(path) for _ in range(50)]

    assert [reply.text for reply in replies] == ["ok"] * 50
