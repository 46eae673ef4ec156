"""A worker does what it is told, but starts users only after its events.init."""

from __future__ import annotations

import gevent
from gevent.event import Event
from locust import argument_parser

import logging
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from plimsoll.recording import worker_start
from plimsoll.recording.worker_start import keep_default_options, waiting


def told(*types: str, initialised: Event, handled: list[str]) -> gevent.Greenlet:
    """Have a worker take messages one after the other, as Locust's does."""
    handle: Any = waiting(lambda _, message: handled.append(message.type), initialised)
    return gevent.spawn(lambda: [handle(None, SimpleNamespace(type=each)) for each in types])


def test_the_order_to_spawn_waits_for_init() -> None:
    """What comes before the order is done at once, the order and all after it when init is over."""
    initialised, handled = Event(), list[str]()
    worker = told("ack", "spawn", "stop", initialised=initialised, handled=handled)
    gevent.sleep(0.01)
    before = list(handled)
    initialised.set()
    worker.join(timeout=5)

    assert before == ["ack"]
    assert handled == ["ack", "spawn", "stop"]


def test_no_worker_waits_for_ever(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where init never comes to an end, users start in the end, and that is said."""
    monkeypatch.setattr(worker_start, "INIT_LIMIT_S", 0.01)
    handled = list[str]()
    with caplog.at_level(logging.ERROR, "plimsoll"):
        told("spawn", initialised=Event(), handled=handled).join(timeout=5)

    assert handled == ["spawn"]
    assert "events.init was not over" in caplog.text


def test_default_options_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is told to spawn again makes no parser for it: its users' answers would wait for that."""
    monkeypatch.setattr(argument_parser, "default_args_dict", argument_parser.default_args_dict)
    expected = argument_parser.default_args_dict()
    keep_default_options.__wrapped__()
    make = Mock(wraps=argument_parser.get_empty_argument_parser)
    monkeypatch.setattr(argument_parser, "get_empty_argument_parser", make)

    assert [argument_parser.default_args_dict() for _ in range(50)] == [expected] * 50
    assert make.call_count == 1
