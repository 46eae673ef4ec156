"""Settings of a user class: all faults told at once, proxies refused, and what is shared."""

from __future__ import annotations

import pytest

from clients.wire.proxies import proxy_variable_for
from clients.wire.settings import Settings, faults_of, share
from clients.wire.url import parse_url


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no proxies in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_are_right() -> None:
    """There is nothing to say against the default settings."""
    assert faults_of("http://a", Settings()) == []


def test_all_faults_at_once() -> None:
    """Each fault names its setting, what is valid, and what was given."""
    settings = Settings(
        connection_timeout=0,
        network_timeout=-1,
        total_timeout=float("nan"),
        max_redirects=-1,
        concurrency=0,
        default_headers=(("X", "a\n"),),
    )

    assert faults_of("a.example", settings) == [
        "connection_timeout must be seconds above 0, got 0",
        "network_timeout must be seconds above 0, got -1",
        "total_timeout must be seconds above 0, got nan",
        "concurrency must be at least 1, got 0",
        "max_redirects must be at least 0, got -1",
        "default_headers: header 'X' must not hold a line break or NUL",
        "host: URL 'a.example' must start with http:// or https://",
    ]


def test_no_host() -> None:
    """A missing host is told with the ways to give it."""
    assert "--host" in faults_of(None, Settings())[0]


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


def test_proxy_is_a_fault_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault says which variable to change and quotes nothing of its value."""
    monkeypatch.setenv("HTTP_PROXY", "http://me:s3cret@p")
    (fault,) = faults_of("http://a.example", Settings())

    assert fault.startswith("HTTP_PROXY is set")
    assert "a.example" in fault
    assert "s3cret" not in fault


def test_users_share() -> None:
    """Users of the same settings and host share what is made of them."""
    assert share("http://a", Settings()) is share("http://a", Settings())
    assert share("http://a", Settings()) is not share("http://a", Settings(insecure=True))
