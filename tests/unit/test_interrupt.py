"""Ctrl-C ends the load in an orderly way, wherever it comes."""

from __future__ import annotations

import gevent

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from plimsoll.recording.exits import interrupt_main


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Have SIGINT interrupt the main greenlet for one test."""
    before = signal.signal(signal.SIGINT, lambda *_: interrupt_main(KeyboardInterrupt))
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    """Send this process a SIGINT, which is handled before the next statement or two."""
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100):
        pass


def test_a_user_is_not_broken_off() -> None:
    """A signal that comes while a greenlet works is met by the main greenlet; the work goes on."""
    done: list[str] = []

    def work() -> None:
        interrupt()
        done.append("this")
        gevent.sleep(0)
        done.append("that")

    worker = gevent.spawn(work)
    with pytest.raises(KeyboardInterrupt):
        gevent.sleep(5)
    worker.join()

    assert worker.successful()
    assert done == ["this", "that"]


def test_a_connection_is_read_on() -> None:
    """A signal that comes in the middle of what the event loop calls does not stop its watching."""
    heard: list[bytes] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def on_readable() -> None:
            if not heard:
                interrupt()
            heard.append(ours.recv(1))

        watcher = gevent.get_hub().loop.io(ours.fileno(), 1)
        watcher.start(on_readable)
        theirs.send(b"a")
        with pytest.raises(KeyboardInterrupt):
            gevent.sleep(5)
        theirs.send(b"b")
        with gevent.Timeout(5):
            while len(heard) < 2:
                gevent.sleep(0)
        watcher.stop()
        watcher.close()

    assert heard == [b"a", b"b"]


def test_the_main_greenlet_is_interrupted_at_once() -> None:
    """A signal that comes while the main greenlet works is raised there and then."""
    with pytest.raises(KeyboardInterrupt):
        interrupt()
