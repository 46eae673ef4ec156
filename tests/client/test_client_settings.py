"""Settings of a client: all faults at once, refused before a user starts; proxies; what is shared."""

from __future__ import annotations

from locust.exception import StopTest

from typing import Any

import pytest

from plimsoll.http1.settings import ClientSettings, proxy_variable_for
from plimsoll.http1.url import parse_url
from plimsoll.users.http import LeanHttpUser
from tests.client.visitor import Visitor
from tests.scripted_server import ScriptedServer, answer


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no proxies in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_are_right() -> None:
    """The default settings have no fault; a user waits 5 s to connect, 30 s to read, 60 s in all."""
    assert list(ClientSettings("http://a").faults()) == []
    assert (LeanHttpUser.connection_timeout, LeanHttpUser.network_timeout) == (5.0, 30.0)
    assert (LeanHttpUser.total_timeout, LeanHttpUser.max_redirects, LeanHttpUser.concurrency) == (
        60.0,
        30,
        10,
    )


def test_all_faults_at_once() -> None:
    """Each fault names the attribute of the user class, what is valid, and the value received."""
    attributes: dict[str, Any] = {
        "connection_timeout": 0,
        "network_timeout": -1,
        "total_timeout": float("nan"),
        "max_redirects": "many",
        "concurrency": 0,
        "default_headers": {"X": "a\n"},
        "proxy_host": "p.example",
    }
    visitor: type[LeanHttpUser] = type("Asking", (LeanHttpUser,), attributes)

    assert visitor.setting_faults("a.example") == [
        "proxy_host is not supported by LeanHttpUser, only by FastHttpUser",
        "connection_timeout must be seconds above 0, got 0",
        "network_timeout must be seconds above 0, got -1",
        "total_timeout must be seconds above 0, got nan",
        "concurrency must be at least 1, got 0",
        "max_redirects must be at least 0, got 'many'",
        "default_headers must be valid headers: header 'X' must not hold a line break or NUL",
        "host must be a base URL: URL 'a.example' must start with http:// or https://",
    ]


def test_faults_end_the_run() -> None:
    """A user whose settings are wrong is refused when it is made, each time, by the name of its class."""
    for _ in range(2):
        with pytest.raises(StopTest, match=r"^Visitor: concurrency must be at least 1, got 0$"):
            Visitor("http://a", concurrency=0)


def test_no_host() -> None:
    """A missing host is named with the ways to give it."""
    with pytest.raises(StopTest, match=r"host is not set: .*--host"):
        Visitor(None)  # type: ignore[arg-type]  # the mistake that is tested


@pytest.mark.parametrize(
    "host", ["no-scheme.example", "ftp://a.example", "http://", "http://a:99999", "http://[::1"]
)
def test_wrong_host(host: str) -> None:
    """A host that is not a base URL is refused when the user is made."""
    with pytest.raises(StopTest, match="host must be a base URL"):
        Visitor(host)


@pytest.mark.parametrize(
    ("environment", "url", "variable"),
    [
        ({}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p"}, "http://a.example", "HTTP_PROXY"),
        ({"http_proxy": "http://p"}, "http://a.example", "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://p"}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p"}, "https://a.example", "HTTPS_PROXY"),
        ({"ALL_PROXY": "http://p"}, "https://a.example", "ALL_PROXY"),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "b.example,.example"}, "http://a.example:81", None),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "*"}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "b.example"}, "http://a.example", "HTTP_PROXY"),
    ],
)
def test_proxies(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, variable: str | None
) -> None:
    """A proxy that the environment wants for a host is noticed, unless NO_PROXY names the host."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert proxy_variable_for(parse_url(url).origin) == variable


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It would be ignored: the fault names the variable and what to do, and quotes nothing of its value."""
    monkeypatch.setenv(name, "http://me:s3cret@p")
    with pytest.raises(StopTest, match=f"proxy of {name.upper()}, .* add a.example to NO_PROXY") as refusal:
        Visitor("http://a.example")

    assert "s3cret" not in str(refusal.value)


def test_proxy_for_other_hosts(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    """A proxy that NO_PROXY excludes for the host changes nothing."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")

    assert Visitor(server.url).get(server.script([answer()])).text == "ok"


def test_equal_settings_are_shared() -> None:
    """Users of one class with equal settings share what is made of them."""

    class Sharing(LeanHttpUser):
        host = "http://a"

    class Hasty(Sharing):
        network_timeout = 1.0

    clients = [kind(Visitor("http://a").environment).client for kind in (Sharing, Sharing, Hasty)]
    settings = [client._client.settings for client in clients]

    assert settings[0] is settings[1]
    assert settings[0].encoder is not settings[2].encoder
    assert settings[0].ssl_context is settings[2].ssl_context
    assert settings[2].read_timeout_s == 1.0


def test_base_class_is_abstract() -> None:
    """Locust does not run the base class itself."""
    assert LeanHttpUser.abstract is True
