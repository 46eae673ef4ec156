"""Requests under way are counted, and one that is cut off is not forgotten."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

import gevent
from gevent import GreenletExit, Timeout
from gevent.event import Event
from locust import FastHttpUser, HttpUser, User
from locust.env import Environment

from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from plimsoll.context import execution_of
from plimsoll.recording.in_flight import OccupancyMeter, Request, track_requests
from tests.users_at_work import Kept, as_user, spawn_user
from tests.virtual_time import virtual_time


@pytest.fixture
def environment() -> Environment:
    """Return an environment."""
    return Environment()


@pytest.fixture
def kept(environment: Environment) -> Kept:
    """Return what is recorded in it."""
    return Kept(environment)


def count(environment: Environment) -> int:
    """Return how many requests are under way."""
    return len(execution_of(environment).requests)


def hang(begun: Event) -> None:
    """Send a request that is never answered."""
    with Request("GET", "home"):
        begun.set()
        Event().wait()


def test_under_way(environment: Environment) -> None:
    """A request is under way inside its block only."""

    def flow() -> int:
        with Request("GET", "home"):
            return count(environment)

    assert as_user(environment, flow) == 1
    assert count(environment) == 0


def test_occupancy(environment: Environment) -> None:
    """Requests of 1 s, 2 s and 1.5 s so far make 4.5 request-seconds: 1.5 in the mean of 3 s."""

    def request(after_s: float, length_s: float) -> None:
        gevent.sleep(after_s)
        with Request("GET", "home"):
            gevent.sleep(length_s)

    with virtual_time():
        meter = OccupancyMeter(execution_of(environment))
        for after_s, length_s in ((0.0, 1.0), (0.5, 2.0), (1.5, 2.5)):
            spawn_user(environment, partial(request, after_s, length_s))
        gevent.sleep(3)
        taken = [meter.take()]
        gevent.sleep(1)
        taken.append(meter.take())
        gevent.sleep(1)
        taken.append(meter.take())

    assert [tuple(each) for each in taken] == [(pytest.approx(1.5), 2), (pytest.approx(1.0), 1), (0.0, 0)]


def test_occupancy_of_what_was_cut_off(environment: Environment) -> None:
    """Time under way counts also of a request that never ended, up to where it was cut off."""
    with virtual_time():
        meter = OccupancyMeter(execution_of(environment))
        greenlet = spawn_user(environment, lambda: hang(Event()))
        gevent.sleep(1)
        execution_of(environment).cut_off_all()
        greenlet.kill()
        gevent.sleep(3)

        assert meter.take() == (0.25, 1)


@pytest.mark.parametrize("forward_s", [3600, -3600])
def test_a_clock_that_is_set(environment: Environment, kept: Kept, forward_s: float) -> None:
    """To set the wall clock changes neither the occupancy nor the age of what is cut off."""
    with virtual_time() as clock:
        meter = OccupancyMeter(execution_of(environment))
        spawn_user(environment, lambda: hang(Event()))
        gevent.sleep(2)
        clock.set_wall_clock(forward_s)
        gevent.sleep(2)
        assert meter.take() == (1.0, 1)
        execution_of(environment).cut_off_all()

    assert kept.unfinished == [(("Visitor", ""), "GET", "home", 4.0)]


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
    environment: Environment, kept: Kept, error: type[BaseException] | None, fired: list[Any], unfinished: int
) -> None:
    """What ends in `measure` is a request, failed where anything is raised; what is cut off is unfinished."""
    track_requests(environment)
    hook, heard = environment.events.request, list[dict[str, Any]]()
    hook.add_listener(lambda **event: heard.append(event))
    passes_on = error in {Timeout, GreenletExit}

    def flow() -> None:
        with (
            pytest.raises(error or ()) if passes_on else nullcontext(),
            hook.measure("SQL", "orders") as event,
        ):
            event["response_length"] = 7
            gevent.sleep(0.01)
            assert count(environment) == 1
            if error:
                raise error

    with virtual_time():
        as_user(environment, flow)

    assert count(environment) == 0
    assert [each["exception"] and type(each["exception"]) for each in heard] == fired
    assert [name for _, _, name, _ in kept.unfinished] == ["orders"] * unfinished
    for each in heard:
        assert (each["request_type"], each["name"], each["response_length"], each["context"]) == (
            *("SQL", "orders", 7, {}),
        )
        assert each["response_time"] == pytest.approx(10)


def test_stopped_user(environment: Environment, kept: Kept) -> None:
    """A request whose greenlet is killed is cut off, and no longer under way."""
    begun = Event()
    greenlet = spawn_user(environment, lambda: hang(begun))
    begun.wait()
    greenlet.kill()

    assert [(request_type, name) for _, request_type, name, _ in kept.unfinished] == [("GET", "home")]
    assert kept.unfinished[0][3] >= 0
    assert count(environment) == 0


@pytest.mark.parametrize(
    ("error", "is_cut_off"), [(GreenletExit, True), (Timeout, True), (ValueError, False)]
)
def test_what_cuts_a_request_off(
    environment: Environment, kept: Kept, error: type[BaseException], *, is_cut_off: bool
) -> None:
    """A timeout of the journey's own does, as stopping its user; of an ordinary error its client tells."""

    def flow() -> None:
        with pytest.raises(error), Request("GET", "home"):
            raise error

    as_user(environment, flow)

    assert len(kept.unfinished) == is_cut_off


def test_end_of_run(environment: Environment, kept: Kept) -> None:
    """At the end of a run every request under way is cut off, once, whatever becomes of it later."""
    begun = Event()
    greenlet = spawn_user(environment, lambda: hang(begun))
    begun.wait()
    execution_of(environment).cut_off_all()
    greenlet.kill()

    assert len(kept.unfinished) == 1
    assert count(environment) == 0


class Silent:
    """Stands in for Locust's way to the network: says what is under way, then is cut off."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.under_way: list[int] = []

    def __call__(self, *_: Any, **__: Any) -> None:
        """Send a request."""
        self.under_way.append(count(self.environment))
        raise GreenletExit


@pytest.mark.parametrize(
    ("user_class", "url", "options", "name"),
    [
        *(
            (user_class, *request)
            for user_class in (HttpUser, FastHttpUser)
            for request in (
                ("/home", {"name": "shop.home"}, "shop.home"),
                ("/home?page=2", {}, "/home?page=2"),
                ("/home", {"name": None}, "/home"),
            )
        ),
        (HttpUser, "http://host/a/b?c=d#e", {}, "/a/b?c=d"),
        (HttpUser, "http://host", {}, "/"),
        (HttpUser, b"/bytes", {}, "/bytes"),
        (HttpUser, "/?", {}, "/"),
    ],
)
@pytest.mark.parametrize("group", [None, "group"])
def test_locust_clients(
    environment: Environment,
    kept: Kept,
    monkeypatch: pytest.MonkeyPatch,
    user_class: type[User],
    url: str | bytes,
    options: dict[str, Any],
    name: str,
    group: str | None,
) -> None:
    """Requests of Locust's own clients are tracked, each once, under the name that Locust would give them."""
    track_requests(environment)
    track_requests(environment)
    user: Any = type("Visitor", (user_class,), {"host": "http://127.0.0.1:9"})(environment)
    silent = Silent(environment)
    monkeypatch.setattr(user.client, "_send_request_safe_mode", silent)
    if isinstance(url, bytes):
        monkeypatch.setattr(user.client, "_build_url", lambda _: "http://127.0.0.1:9")

    def flow() -> None:
        renamed = user.client.rename_request(group) if group else nullcontext()
        with pytest.raises(GreenletExit), renamed:
            user.client.get(url, **options)

    as_user(environment, flow)

    assert silent.under_way == [1]
    expected = options.get("name") or group or name
    assert [(request_type, found) for _, request_type, found, _ in kept.unfinished] == [("GET", expected)]


def test_users_that_ask() -> None:
    """A user class with an attribute `request_tracker` gets what its client calls; others do not."""
    asking: Any = type("Asking", (User,), {"request_tracker": None, "abstract": True})
    silent: Any = type("Silent", (User,), {"abstract": True})
    track_requests(Environment(user_classes=[asking, silent]))

    assert asking.request_tracker is Request
    assert not hasattr(silent, "request_tracker")
