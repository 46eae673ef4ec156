"""A Locust user for HTTP/1.1, with FastHttpUser's interface at a fraction of its cost."""

from __future__ import annotations

from gevent import Greenlet
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import StopTest
from locust.user.users import RestMixin

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, ClassVar

from plimsoll.context import execution_of
from plimsoll.http1.client import HttpClient, Request
from plimsoll.http1.cookies import Jar
from plimsoll.http1.request import encode_body
from plimsoll.http1.settings import ClientSettings, is_seconds
from plimsoll.http1.url import basic_auth, with_params, without_credentials
from plimsoll.run_files.intervals import COUNTER
from plimsoll.users.http_response import LeanResponse

RECONNECTS = "http.reconnects"
_MAX_CACHED_SETTINGS = 64

# Of FastHttpUser's settings, those which would change what is measured or ask for its own connections.
_UNSUPPORTED = {"client_pool": None, "max_retries": 0, "proxy_host": None, "proxy_port": None}

# Settings of the client, and the attributes of a user that give them, by FastHttpUser's names.
_ATTRIBUTES = {
    "base_url": "host",
    "connect_timeout_s": "connection_timeout",
    "read_timeout_s": "network_timeout",
    "total_timeout_s": "total_timeout",
    "max_redirects": "max_redirects",
    "max_connections": "concurrency",
    "insecure": "insecure",
}


class LeanHttpSession:
    """The client of a user: each request ends in one request event, whatever comes of it.

    `request_name` is the name of requests that are given none.
    """

    __slots__ = (
        "_client",
        "_event",
        "_has_context",
        "_total_timeout_s",
        "_user",
        "_user_class",
        "request_name",
    )

    def __init__(self, user: LeanHttpUser, client: HttpClient[LeanResponse]) -> None:
        self.request_name: str | None = None
        self._client = client
        self._total_timeout_s = client.settings.total_timeout_s
        self._event = user.environment.events.request
        self._user = user
        self._user_class = type(user)
        self._has_context = self._user_class.context is not User.context

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Any = None,
        catch_response: bool = False,
        stream: bool = False,
        headers: Mapping[str, Any] | None = None,
        auth: tuple[str | bytes, str | bytes] | None = None,
        json: Any = None,
        allow_redirects: bool = True,
        context: dict[str, Any] | None = None,
        *,
        params: Any = None,
        cookies: Mapping[str, object] | None = None,
        timeout: float | None = None,
        files: None = None,
    ) -> LeanResponse:
        """Send a request and return its response; a failure is not raised but is the response's `error`.

        The URL is a path on the host, or absolute. *data* is bytes, text, a form's fields or an open file;
        *json* is sent where there is no data. The *name* in statistics is the URL where none is given. With
        *catch_response* the response is a with-block, and reported when that ends. *timeout* is for the whole
        request, in s. The body is decoded where an Accept-Encoding header asks for an encoding.

        Raises ValueError or TypeError for a request that cannot be sent.
        """
        if stream or files:
            raise ValueError("stream= and files= are not supported; use FastHttpUser")
        if timeout is None:
            timeout = self._total_timeout_s
        elif not is_seconds(timeout):
            raise ValueError(f"timeout must be seconds above 0, got {timeout!r}")
        name = name or self.request_name or (url if "@" not in url else without_credentials(url))
        line = self._client.request_line(method, url if params is None else with_params(url, params))
        items = tuple(headers.items()) if headers else ()
        if auth is not None:
            items += (("Authorization", basic_auth(*auth)),)
        body = None if data is None and json is None else encode_body(data, json)
        if self._has_context:
            context = self._user.context() | (context or {})
        request = line, items, body, cookies
        return self._send(request, name, timeout, allow_redirects, context, catch_response)

    def _send(
        self,
        request: Request,
        name: str,
        timeout_s: float,
        follows_redirects: bool,
        context: dict[str, Any] | None,
        is_caught: bool,
    ) -> LeanResponse:
        """Send a request and fire its event, unless the with-block of the response will."""
        tracker = self._user_class.request_tracker
        line = request[0]
        start_time, started_s = time.time(), time.perf_counter()
        if tracker is None:
            response = self._client.fetch(request, started_s + timeout_s, follows_redirects)
        else:
            with tracker(line.method, name):
                response = self._client.fetch(request, started_s + timeout_s, follows_redirects)
        response.elapsed_s = time.perf_counter() - started_s
        response.report_to(self._event, line.method, name, context or {}, start_time, line.text)
        if not is_caught:
            response.report()
        return response

    def get(self, url: str, **options: Any) -> LeanResponse:
        """Send a GET request."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> LeanResponse:
        """Send a HEAD request."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> LeanResponse:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", url, **options)

    def delete(self, url: str, **options: Any) -> LeanResponse:
        """Send a DELETE request."""
        return self.request("DELETE", url, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> LeanResponse:
        """Send a POST request."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> LeanResponse:
        """Send a PUT request."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> LeanResponse:
        """Send a PATCH request."""
        return self.request("PATCH", url, data=data, **options)

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Give the requests of a with-block one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    @property
    def cookiejar(self) -> Jar:
        """The user's cookies, in a jar of the standard library's kind."""
        return self._client.cookiejar

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self._client.close()


class LeanHttpUser(User, RestMixin[LeanResponse]):
    """A user with an HTTP client that takes FastHttpUser's place by changing the base class.

    It costs a fraction of the CPU time. It also verifies certificates, has shorter timeouts, and asks for no
    compression by default; and it has no stream, files, proxies, retries or shared pools.
    """

    abstract = True

    connection_timeout: float = ClientSettings.connect_timeout_s
    """The longest time to open a connection, in s: to resolve the name, to connect, to agree on TLS."""

    network_timeout: float = ClientSettings.read_timeout_s
    """The longest time without a byte from a server that has a request to answer, in s."""

    total_timeout: float = ClientSettings.total_timeout_s
    """The longest time for a request with its redirects, in s, where it has no `timeout` of its own."""

    max_redirects: int = ClientSettings.max_redirects
    """The most redirects in a row; one more is a failure."""

    concurrency: int = ClientSettings.max_connections
    """The most connections of one user to one origin, for requests in greenlets of its own."""

    insecure: bool = False
    """Whether any TLS certificate is accepted."""

    ssl_context_factory: Callable[[], ssl.SSLContext] | None = None
    """What makes the TLS settings, in place of the default ones, once for all users of a class."""

    default_headers: Mapping[str, str] | None = None
    """Headers of every request, unless it has its own of the same name."""

    request_tracker: ClassVar[Callable[[str, str], AbstractContextManager[None]] | None] = None
    """Returns the with-block to hold around a request of a method and name; `record_run()` sets it."""

    client_metric_names: ClassVar[frozenset[str]] = frozenset({RECONNECTS})
    """The metrics that the client itself makes, besides those of the journey."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        settings = _checked(type(self), _settings_of(type(self), self, self.host))
        self.client = LeanHttpSession(self, HttpClient(settings, LeanResponse, self._count_reconnect))

    @classmethod
    def setting_faults(cls, host: str | None) -> list[str]:
        """Return all that is wrong with the settings of this class for users that send to a host."""
        return _faults(cls, _settings_of(cls, cls, host))

    def _count_reconnect(self, by: int = 1) -> None:
        recorder = execution_of(self.environment).recorder
        if recorder is not None:
            recorder.record_value(COUNTER, RECONNECTS, by)

    def start(self, group: Group) -> Greenlet:
        """Start the user, whose connections are closed as soon as it has ended."""
        # Not when it is collected as garbage: that may be in another thread, which must not use the loop.
        greenlet = super().start(group)
        greenlet.rawlink(lambda _: self.client.close())
        self._count_reconnect(0)  # so that a limit on it is judged where there is no reconnect
        return greenlet


def _settings_of(
    user_class: type[LeanHttpUser], holder: LeanHttpUser | type[LeanHttpUser], host: str | None
) -> ClientSettings:
    """Return the settings that a user has, or its class."""
    values = {setting: getattr(holder, attribute) for setting, attribute in _ATTRIBUTES.items()}
    values["base_url"] = host or ""
    headers = tuple((holder.default_headers or {}).items())
    factory = user_class.ssl_context_factory  # of a user it would be a method
    return ClientSettings(**values, default_headers=headers, ssl_context_factory=factory)


@lru_cache(maxsize=_MAX_CACHED_SETTINGS)
def _checked(user_class: type[LeanHttpUser], settings: ClientSettings) -> ClientSettings:
    """Check settings once for all users, and return the object that those with equal settings share.

    Raises StopTest for faults, each time: an exception is not cached.
    """
    if faults := _faults(user_class, settings):
        raise StopTest(f"{user_class.__name__}: {'; '.join(faults)}")
    return settings


def _faults(user_class: type[LeanHttpUser], settings: ClientSettings) -> list[str]:
    faults = [
        f"{name} is not supported by LeanHttpUser, only by FastHttpUser"
        for name, default in _UNSUPPORTED.items()
        if getattr(user_class, name, default) != default
    ]
    for setting, fault in settings.faults():
        if setting == "base_url" and not settings.base_url:
            fault = "is not set: give the user class one, or --host on the command line"
        faults.append(f"{_ATTRIBUTES.get(setting, setting)} {fault}")
    return faults
