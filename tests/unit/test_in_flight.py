"""Requests under way are counted, and one that is cut off is not forgotten."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

import gevent
from gevent import GreenletExit, Timeout
from gevent.event import Event
from locust import FastHttpUser, HttpUser, User
from locust.env import Environment
from locust.event import EventHook

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from plimsoll.recording import in_flight
from plimsoll.recording.in_flight import OccupancyMeter, Request, measure
from plimsoll.recording.origin import Origin
from tests.virtual_time import virtual_time

CutOff = tuple[str, str, str, float]


@pytest.fixture
def cut_off() -> Iterator[list[CutOff]]:
    """Collect what is cut off: user class, type, name and age in seconds."""
    seen: list[CutOff] = []

    def note(origin: Origin, request_type: str, name: str, started_s: float, ended_s: float) -> None:
        seen.append((origin.user_class, request_type, name, ended_s - started_s))

    in_flight.add_listener(note)
    yield seen
    in_flight.remove_listener(note)


def count() -> int:
    """Return how many requests are under way."""
    return OccupancyMeter().take().most


def hang(begun: Event) -> None:
    """Send a request that is never answered."""
    with Request("GET", "home"):
        begun.set()
        Event().wait()


def test_gauge() -> None:
    """A request is under way inside its block only."""
    with Request("GET", "home"):
        assert count() == 1

    assert count() == 0


def test_occupancy() -> None:
    """Requests of 1 s, 2 s and 1.5 s so far make 4.5 request-seconds: 1.5 in the mean of 3 s."""
    with virtual_time() as clock:
        meter, requests = OccupancyMeter(), [Request("GET", "home") for _ in range(3)]
        for after_s, step in (
            (0.0, requests[0].__enter__),
            (0.5, requests[1].__enter__),
            (0.5, lambda: requests[0].__exit__(None, None, None)),
            (0.5, requests[2].__enter__),
            (1.0, lambda: requests[1].__exit__(None, None, None)),
        ):
            clock.stand_still(after_s)
            step()
        clock.stand_still(0.5)
        assert meter.take() == (1.5, 2)

        clock.stand_still(1)
        requests[2].__exit__(None, None, None)
        assert meter.take() == (1.0, 1)

        clock.stand_still(1)
        assert meter.take() == (0.0, 0)


def test_occupancy_of_what_was_cut_off() -> None:
    """Time under way counts also of a request that never ended, up to where it was cut off."""
    with virtual_time() as clock:
        meter, request = OccupancyMeter(), Request("GET", "home")
        request.__enter__()
        clock.stand_still(1)
        in_flight.cut_off_all()
        request.__exit__(None, None, None)
        clock.stand_still(3)

        assert meter.take() == (0.25, 1)


@pytest.mark.parametrize("forward_s", [3600, -3600])
def test_a_clock_that_is_set(cut_off: list[CutOff], forward_s: float) -> None:
    """Whoever sets the wall clock changes neither the occupancy nor the age of what is cut off."""
    with virtual_time() as clock:
        meter = OccupancyMeter()
        with Request("GET", "home"):
            clock.stand_still(2)
            clock.set_wall_clock(forward_s)
            clock.stand_still(2)
            assert meter.take() == (1.0, 1)
            in_flight.cut_off_all()

    assert cut_off == [("", "GET", "home", 4.0)]


@pytest.mark.parametrize(
    ("error", "fired", "unfinished"),
    [
        (None, [None], 0),
        (ValueError, [ValueError], 0),
        (Timeout, [Timeout], 0),  # of a time limit of the user's own
        (GreenletExit, [], 1),
    ],
)
def test_measure(
    cut_off: list[CutOff], error: type[BaseException] | None, fired: list[Any], unfinished: int
) -> None:
    """What ends in `measure` is a request, failed where anything is raised; what is cut off is unfinished."""
    hook, heard = EventHook(), list[dict[str, Any]]()
    hook.add_listener(lambda **told: heard.append(told))
    passes_on = error in {Timeout, GreenletExit}
    with pytest.raises(error or ()) if passes_on else nullcontext(), measure(hook, "SQL", "orders") as told:
        told["response_length"] = 7
        gevent.sleep(0.01)
        assert count() == 1
        if error:
            raise error
    assert count() == 0

    assert [each["exception"] and type(each["exception"]) for each in heard] == fired
    assert [name for _, _, name, _ in cut_off] == ["orders"] * unfinished
    for each in heard:
        assert (each["request_type"], each["name"], each["response_length"], each["context"]) == (
            *("SQL", "orders", 7, {}),
        )
        assert each["response_time"] >= 10


def test_stopped_user(cut_off: list[CutOff]) -> None:
    """A request whose greenlet is killed is cut off, and no longer under way."""
    begun = Event()
    greenlet = gevent.spawn(hang, begun)
    begun.wait()
    greenlet.kill()

    assert [(request_type, name) for _, request_type, name, _ in cut_off] == [("GET", "home")]
    assert cut_off[0][3] >= 0
    assert count() == 0


@pytest.mark.parametrize("cut", [GreenletExit, Timeout])
def test_cut(cut_off: list[CutOff], cut: type[BaseException]) -> None:
    """A timeout of the journey's own cuts a request off just as stopping its user does."""
    with pytest.raises(cut), Request("GET", "home"):
        raise cut

    assert len(cut_off) == 1


def test_failed_request(cut_off: list[CutOff]) -> None:
    """A request that raises an ordinary error has ended: that is for its client to report."""
    with pytest.raises(ValueError, match="no"), Request("GET", "home"):
        raise ValueError("no")

    assert cut_off == []


def test_end_of_run(cut_off: list[CutOff]) -> None:
    """At the end of a run every request under way is cut off, once, whatever becomes of it later."""
    begun = Event()
    greenlet = gevent.spawn(hang, begun)
    begun.wait()
    in_flight.cut_off_all()
    greenlet.kill()

    assert len(cut_off) == 1
    assert count() == 0


class Silent:
    """Stands in for Locust's way to the network: says what is under way, then is cut off."""

    def __init__(self) -> None:
        self.under_way: list[int] = []

    def __call__(self, *_: Any, **__: Any) -> None:
        """Send a request."""
        self.under_way.append(count())
        raise GreenletExit


@pytest.mark.parametrize("user_class", [HttpUser, FastHttpUser])
@pytest.mark.parametrize(
    ("url", "options", "name"),
    [
        ("/home", {"name": "shop.home"}, "shop.home"),
        ("/home?page=2", {}, "/home?page=2"),
        ("/home", {"name": None}, "/home"),
    ],
)
def test_locust_clients(
    cut_off: list[CutOff],
    monkeypatch: pytest.MonkeyPatch,
    user_class: type[User],
    url: str,
    options: dict[str, Any],
    name: str,
) -> None:
    """Requests of Locust's own clients are watched, each once, under the name that Locust would give them."""
    in_flight.watch_sessions()
    in_flight.watch_sessions()
    user: Any = type("Visitor", (user_class,), {"host": "http://127.0.0.1:9"})(Environment())
    silent = Silent()
    monkeypatch.setattr(user.client, "_send_request_safe_mode", silent)
    with pytest.raises(GreenletExit):
        user.client.get(url, **options)

    assert silent.under_way == [1]
    assert [(request_type, found) for _, request_type, found, _ in cut_off] == [("GET", name)]


def test_users_that_ask() -> None:
    """A user class with an attribute `request_tracker` gets what its client calls; others do not."""
    asking: Any = type("Asking", (User,), {"request_tracker": None, "abstract": True})
    silent: Any = type("Silent", (User,), {"abstract": True})
    in_flight.watch_users([asking, silent])

    with asking.request_tracker("GET", "home"):
        assert count() == 1
    assert not hasattr(silent, "request_tracker")


def test_renamed_request(cut_off: list[CutOff], monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is set for a group of requests counts."""
    in_flight.watch_sessions()
    user: Any = type("Visitor", (FastHttpUser,), {"host": "http://127.0.0.1:9"})(Environment())
    monkeypatch.setattr(user.client, "_send_request_safe_mode", Silent())
    with pytest.raises(GreenletExit), user.client.rename_request("group"):
        user.client.get("/home")

    assert [name for _, _, name, _ in cut_off] == ["group"]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://host/a/b?c=d#e", "/a/b?c=d"),
        ("http://host", "/"),
        (b"/bytes", "/bytes"),
        ("/?", "/"),
        ("http://[", "http://["),
    ],
)
def test_name_of_a_url(url: str | bytes, path: str) -> None:
    """HttpSession names a request by its path and query."""
    assert in_flight._path_of(url) == path
