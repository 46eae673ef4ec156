"""Connections of one user: parallel requests, requests that are killed, and what is left of them."""

from __future__ import annotations

import gevent
from gevent.pool import Group

import gc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Certificates
from tests.hostile_server import Ending, HostileServer, Turn, answer, unanswering_port
from tests.visitor import PATIENCE_S, Visitor, close_all, wait_in_loop


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for_nothing_open(hostile: HostileServer, most_files: int) -> None:
    """Wait until both sides have closed all connections, also those that the server has not taken yet."""
    last = Visitor(hostile.url)
    last.get(hostile.script([answer()]))  # the server takes connections in turn: none before this one waits
    last.client.close()
    # A server closes its file before it forgets the connection, which is why files are looked at first.
    wait_in_loop(lambda: open_files() <= most_files and hostile.open_connections == 0)


def in_parallel(visitor: Visitor, paths: list[str]) -> list[Any]:
    """Send all requests at once and return the responses."""
    senders = [gevent.spawn(visitor.get, path) for path in paths]
    gevent.joinall(senders, timeout=PATIENCE_S, raise_error=True)
    return [sender.value for sender in senders]


def test_parallel_requests(echo_url: str) -> None:
    """One user's requests at the same time do not wait for each other, and get each its own answer."""
    visitor = Visitor(echo_url)
    replies = in_parallel(visitor, [f"/slow/0.2?number={number}" for number in range(8)])

    assert [reply.json()["query"] for reply in replies] == [f"number={number}" for number in range(8)]
    assert all(event["response_time"] < 1000 for event in visitor.events)


def test_pool_is_used_again(hostile: HostileServer) -> None:
    """Connections opened for parallel requests serve the next ones; one after the other needs but one."""
    path = hostile.script([0.05, answer()])
    visitor = Visitor(hostile.url)
    for _ in range(3):
        in_parallel(visitor, [path] * 4)
    alone = hostile.script([answer()])
    for _ in range(4):
        visitor.get(alone)

    assert hostile.connections == 4
    assert len({seen.connection for seen in hostile.seen(alone)}) == 1


def test_pool_has_a_limit(hostile: HostileServer) -> None:
    """More requests than `concurrency` wait for a connection; their waiting counts."""
    path = hostile.script([0.1, answer()])
    visitor = Visitor(hostile.url, concurrency=2)
    replies = in_parallel(visitor, [path] * 6)

    assert [reply.text for reply in replies] == ["ok"] * 6
    assert hostile.connections == 2
    times_ms = sorted(event["response_time"] for event in visitor.events)
    assert times_ms[0] < 250
    assert times_ms[-1] >= 285


def test_waiting_for_the_pool_ends(hostile: HostileServer) -> None:
    """A request that gets no connection in its whole time has failed; the pool is not harmed."""
    visitor = Visitor(hostile.url, concurrency=1)
    holder = gevent.spawn(visitor.get, hostile.script([0.4, answer(b"held")]))
    wait_in_loop(lambda: len(hostile.requests) == 1)
    hurried = visitor.get(hostile.script([answer()]), timeout=0.1)
    holder.join()

    assert hurried.status_code == 0
    assert (holder.value.text, visitor.get(hostile.script([answer()])).text) == ("held", "ok")
    assert hostile.connections == 1


def test_failure_frees_its_place(hostile: HostileServer) -> None:
    """Requests that fail one after another do not use the pool up."""
    visitor = Visitor(hostile.url, concurrency=2)
    broken = hostile.script([Ending.CLOSE])
    for _ in range(5):
        in_parallel(visitor, [broken] * 2)

    assert [reply.text for reply in in_parallel(visitor, [hostile.script([answer()])] * 2)] == ["ok"] * 2


def test_failure_stays_with_its_request(hostile: HostileServer) -> None:
    """A parallel request that breaks off, or is killed, disturbs no other."""
    visitor = Visitor(hostile.url)
    fine, broken, held = (
        hostile.script([0.2, answer()]),
        hostile.script([0.05, Ending.RESET]),
        hostile.script([Ending.HOLD]),
    )
    killed = gevent.spawn(visitor.get, held)
    gevent.spawn_later(0.1, killed.kill)
    replies = in_parallel(visitor, [fine, broken, fine, broken, fine])

    assert [reply.status_code for reply in replies] == [200, 0, 200, 0, 200]
    assert killed.ready()


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.003, 0.01])
def test_kills_leave_no_file_open(hostile: HostileServer, seconds: float) -> None:
    """However far it got, a request that is killed closes its connection and leaves nothing behind."""
    paths = [
        hostile.script([Ending.HOLD]),
        hostile.script([b"HTTP/1.1 200 OK\r\nContent-Le", Ending.HOLD]),
        hostile.script([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Ending.HOLD]),
        hostile.script([0.001, answer(), Ending.HOLD]),
    ]
    Visitor(hostile.url).get(hostile.script([answer(), Ending.CLOSE]))
    before = open_files()
    visitors = [Visitor(hostile.url) for _ in range(40)]
    group = Group()
    senders = [group.spawn(visitor.get, paths[number % 4]) for number, visitor in enumerate(visitors)]
    gevent.sleep(seconds)
    group.kill(timeout=PATIENCE_S)
    close_all()
    wait_for_nothing_open(hostile, before)

    assert all(sender.dead for sender in senders)
    assert hostile.open_connections == 0
    assert open_files() <= before


def test_kill_while_waiting_for_the_pool(hostile: HostileServer) -> None:
    """A request that was killed before it got a connection leaves its place to the next."""
    visitor = Visitor(hostile.url, concurrency=1)
    path = hostile.script([0.1, answer()])
    senders = [gevent.spawn(visitor.get, path) for _ in range(5)]
    gevent.sleep(0.02)
    gevent.killall(senders[1:4], timeout=PATIENCE_S)
    gevent.joinall(senders, timeout=PATIENCE_S)

    assert [senders[number].value.text for number in (0, 4)] == ["ok", "ok"]
    assert len(hostile.seen(path)) == 2
    assert visitor.get(path).text == "ok"


def test_timeout_of_the_task(hostile: HostileServer) -> None:
    """A task's own gevent.Timeout goes on its way, and leaves the client usable."""
    visitor = Visitor(hostile.url, concurrency=1)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        visitor.client.get(hostile.script([Ending.HOLD]))

    assert visitor.get(hostile.script([answer()])).text == "ok"
    assert len(visitor.events) == 1


def test_killed_user_can_go_on(hostile: HostileServer) -> None:
    """A request that was killed leaves its user's client usable."""
    visitor = Visitor(hostile.url, concurrency=1)
    for _ in range(3):
        sender = gevent.spawn(visitor.get, hostile.script([Ending.HOLD]))
        count = len(hostile.requests)
        wait_in_loop(lambda count=count: len(hostile.requests) > count)  # type: ignore[misc]
        sender.kill()

    assert visitor.get(hostile.script([answer()])).text == "ok"


def test_kill_while_connecting() -> None:
    """A connection that is not open yet is given up as well."""
    Visitor("http://127.0.0.1:1").get("/")
    before = open_files()
    with unanswering_port(vanished=True) as port:
        senders = [gevent.spawn(Visitor(f"http://127.0.0.1:{port}").get, "/") for _ in range(10)]
        gevent.sleep(0.02)
        gevent.killall(senders, timeout=PATIENCE_S)

    gc.collect()
    wait_in_loop(lambda: open_files() <= before)
    assert [type(sender.value) for sender in senders] == [gevent.GreenletExit] * 10
    assert open_files() <= before


def test_kill_in_the_handshake(certificates: Certificates) -> None:
    """A handshake that is under way is given up as well."""
    settings = certificates.client_context()
    Visitor("https://127.0.0.1:1", ssl_context_factory=lambda: settings).get("/")
    before = open_files()
    with unanswering_port(vanished=False) as port:
        visitor = Visitor(f"https://127.0.0.1:{port}", ssl_context_factory=lambda: settings)
        senders = [gevent.spawn(visitor.get, "/") for _ in range(5)]
        gevent.sleep(0.05)
        gevent.killall(senders, timeout=PATIENCE_S)

    gc.collect()
    wait_in_loop(lambda: open_files() <= before)
    assert [type(sender.value) for sender in senders] == [gevent.GreenletExit] * 5
    assert open_files() <= before


def test_user_that_is_gone(hostile: HostileServer) -> None:
    """When Locust drops a user its idle connections are closed."""
    before = open_files()
    visitors = [Visitor(hostile.url) for _ in range(20)]
    path = hostile.script([answer()])
    for visitor in visitors:
        visitor.get(path)
    assert hostile.connections == 20
    group = Group()
    for visitor in visitors:
        visitor.user.start(group)
    group.kill(timeout=PATIENCE_S)

    wait_in_loop(lambda: hostile.open_connections == 0 and open_files() <= before)


def test_faults_leave_no_file_open(hostile: HostileServer) -> None:
    """Nor does any way of failing, over and over."""
    visitor = Visitor(hostile.url, network_timeout=0.02)
    turns: list[Turn] = [
        [Ending.CLOSE],
        [Ending.RESET],
        [Ending.HOLD],
        [b"garbage\r\n\r\n", Ending.HOLD],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Ending.CLOSE],
        [answer() + b"junk", Ending.HOLD],
    ]
    paths = [hostile.script(turn) for turn in turns]
    visitor.get(paths[0])
    wait_in_loop(lambda: hostile.open_connections == 0)
    before = open_files()
    for path in paths * 5:
        visitor.get(path)
    wait_for_nothing_open(hostile, before)

    assert [len(hostile.seen(path)) for path in paths] == [6, 5, 5, 5, 5, 5]
    assert hostile.open_connections == 0
    assert open_files() <= before


def test_two_hundred_users_at_once(echo_url: str) -> None:
    """Many users share one event loop; none waits for another's answer."""
    visitors = [Visitor(echo_url) for _ in range(200)]
    group = Group()
    for visitor in visitors:
        group.spawn(visitor.get, "/slow/0.3")
    group.join(timeout=PATIENCE_S)

    assert all(visitor.events[0]["exception"] is None for visitor in visitors)
    assert max(visitor.events[0]["response_time"] for visitor in visitors) < 2000


def test_parallel_over_tls(hostile_tls: Callable[[str], HostileServer], certificates: Certificates) -> None:
    """Parallel handshakes and answers do not disturb each other."""
    server = hostile_tls("good")
    path = server.script([0.05, answer(b"x" * 100_000)])
    visitor = Visitor(server.url, ssl_context_factory=certificates.client_context)

    assert [len(reply.content) for reply in in_parallel(visitor, [path] * 5)] == [100_000] * 5
    assert server.connections == 5


def test_server_without_patience(hostile: HostileServer) -> None:
    """One that closes after every answer without saying so costs a connection a request, and no failure."""
    path = hostile.script([answer(), Ending.CLOSE])
    visitor = Visitor(hostile.url)
    with closing(hostile):
        replies = [visitor.get(path) for _ in range(50)]

    assert [reply.text for reply in replies] == ["ok"] * 50
