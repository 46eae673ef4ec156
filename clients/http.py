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

from clients.measuring import Measures
from clients.wire.agent import Agent, Request
from clients.wire.cookies import Jar
from clients.wire.phases import Phases
from clients.wire.request_body import encode_body
from clients.wire.request_head import Line
from clients.wire.response import LeanResponse
from clients.wire.settings import MAX_KEPT, Settings, Shared, faults_of, is_above, share
from clients.wire.url import basic_auth, with_params, without_credentials

RECONNECTS = "http.reconnects"
_clock = time.perf_counter

# Of FastHttpUser's settings, those which would change what is measured or ask for its own connections.
_UNSUPPORTED = {"client_pool": None, "max_retries": 0, "proxy_host": None, "proxy_port": None}


class LeanHttpSession:
    """What a user asks with: each request ends in one request event, whatever comes of it.

    `request_name` is the name of requests that are given none.
    """

    __slots__ = ("_agent", "_event", "_has_context", "_user", "_user_class", "request_name")

    def __init__(self, user: LeanHttpUser, agent: Agent) -> None:
        self.request_name: str | None = None
        self._agent = agent
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
        """Send a request and return its answer; what goes wrong is not raised but is the answer's `error`.

        The URL is a path on the host, or absolute. *data* is bytes, text, a form's fields or an open file;
        *json* is sent where there is no data. The *name* in statistics is the URL where none is given. With
        *catch_response* the answer is for a with-block, and reported when that ends. *timeout* is for all of
        it, in s. Codings of the body are undone where an Accept-Encoding header asks for them.

        Raises ValueError or TypeError for a request that cannot be sent.
        """
        if stream or files:
            raise ValueError("stream and files are not supported: FastHttpUser has them")
        agent = self._agent
        timeout_s = agent.total_timeout_s if timeout is None else _checked_s(timeout)
        name = name or self.request_name or (url if "@" not in url else without_credentials(url))
        line = agent.line(method, url if params is None else with_params(url, params))
        items = _header_items(headers, auth) if headers or auth is not None else ()
        body = None if data is None and json is None else encode_body(data, json)
        if self._has_context:
            context = self._user.context() | (context or {})
        start_time, started_s = time.time(), _clock()
        response = self._fetch((line, items, body, cookies), name, started_s + timeout_s, allow_redirects)
        response.elapsed_s = _clock() - started_s
        self._tell(response, line, name, start_time, context, catch_response)
        return response

    def _fetch(self, request: Request, name: str, deadline_s: float, follows_redirects: bool) -> LeanResponse:
        user_class = self._user_class
        phases = Phases() if user_class.record_phases else None
        watch = user_class.request_watch
        if watch is None:
            return self._agent.fetch(request, deadline_s, phases, follows_redirects)
        with watch(request[0].method, name):
            return self._agent.fetch(request, deadline_s, phases, follows_redirects)

    def _tell(
        self,
        response: LeanResponse,
        line: Line,
        name: str,
        start_time: float,
        context: dict[str, Any] | None,
        is_caught: bool,
    ) -> None:
        """Fire the request event, or have the with-block of the response fire it."""
        context = {} if context is None else context
        if response.phases is not None:
            context = {**context, "phases": response.phases}
        told = {
            "request_type": line.method,
            "name": name,
            "response_time": response.elapsed_s * 1000,
            "response_length": len(response.content or b""),
            "context": context,
            "exception": response.error,
            "start_time": start_time,
            "url": line.text,
        }
        if is_caught:
            response.report_to(self._event, told)
        else:
            self._event.fire(**told, response=response)

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
        return self._agent.cookiejar

    @property
    def reconnects(self) -> int:
        """How many connections were opened again because the server had closed them while they were idle."""
        return self._agent.reconnects

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self._agent.close()


class LeanHttpUser(User, RestMixin[LeanResponse]):
    """A user with an HTTP client that takes FastHttpUser's place by changing the base class.

    It costs a fraction of the CPU time. It also verifies certificates, waits for less long, and asks for no
    compression, unless told otherwise; and it has no stream, files, proxies, retries or shared pools.
    """

    abstract = True

    connection_timeout: float = 5.0
    """The longest time to open a connection, in s: to look up the name, to connect, to agree on TLS."""

    network_timeout: float = 30.0
    """The longest silence of a server that owes an answer, in s."""

    total_timeout: float = 60.0
    """The longest time for a request with its redirects, in s, where it names no `timeout` of its own."""

    max_redirects: int = 30
    """The most redirects in a row; one more is a failure."""

    concurrency: int = 10
    """The most connections of one user to one origin, for requests in greenlets of its own."""

    insecure: bool = False
    """Whether any TLS certificate is taken."""

    ssl_context_factory: Callable[[], ssl.SSLContext] | None = None
    """What makes the TLS settings, in place of the default ones, once for all users of a class."""

    default_headers: Mapping[str, str] | None = None
    """Headers of every request, unless it has its own of the same name."""

    record_phases: bool = False
    """Whether the parts of the time are kept: in `phases` of a response, `context["phases"]` of its event."""

    request_watch: ClassVar[Callable[[str, str], AbstractContextManager[None]] | None] = None
    """What holds a with-block around each request, by its method and name, for whoever counts requests."""

    measures: ClassVar[Measures | None] = None
    """What keeps how many connections were opened again, for whoever records the run."""

    client_metric_names: ClassVar[frozenset[str]] = frozenset({RECONNECTS})
    """The metrics that the client itself makes, besides those of the journey."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        shared = _check_and_share(type(self), self.host, _settings_of(type(self), self))
        self.client = LeanHttpSession(self, Agent(shared, self._count_reconnect))

    @classmethod
    def setting_faults(cls, host: str) -> list[str]:
        """Return all that is wrong with the settings of this class where its users are to ask a host."""
        return _unsupported(cls) + faults_of(host, _settings_of(cls, cls))

    def _count_reconnect(self, by: int = 1) -> None:
        if self.measures:
            self.measures.keep("counter", RECONNECTS, by)

    def start(self, group: Group) -> Greenlet:
        """Start the user, whose connections are closed as soon as it has ended."""
        # Not when it is collected as garbage: that may be in another thread, where nobody may touch the loop.
        greenlet = super().start(group)
        greenlet.rawlink(lambda _: self.client.close())
        self._count_reconnect(0)  # so that it is told, and a limit on it judged, where there is none
        return greenlet


def _settings_of(user_class: type[LeanHttpUser], holder: LeanHttpUser | type[LeanHttpUser]) -> Settings:
    """Return the settings that a user has, or its class."""
    return Settings(
        holder.connection_timeout,
        holder.network_timeout,
        holder.total_timeout,
        holder.max_redirects,
        holder.concurrency,
        tuple((holder.default_headers or {}).items()),
        holder.insecure,
        user_class.ssl_context_factory,  # of a user it would be a method
    )


@lru_cache(maxsize=MAX_KEPT)
def _check_and_share(user_class: type, host: str | None, settings: Settings) -> Shared:
    """Check settings once for all users; faults are raised as StopTest, each time, and so never kept."""
    faults = _unsupported(user_class) + faults_of(host, settings)
    if host is None or faults:
        raise StopTest(f"{user_class.__name__}: {'; '.join(faults)}")
    return share(host, settings)


def _unsupported(user_class: type) -> list[str]:
    told = (name for name, default in _UNSUPPORTED.items() if getattr(user_class, name, default) != default)
    return [f"{name} is not supported by LeanHttpUser, only by FastHttpUser" for name in told]


def _checked_s(timeout: float) -> float:
    if not is_above(0, timeout):
        raise ValueError(f"timeout must be seconds above 0, got {timeout!r}")
    return timeout


def _header_items(
    headers: Mapping[str, Any] | None, auth: tuple[str | bytes, str | bytes] | None
) -> tuple[tuple[str, Any], ...]:
    items = tuple(headers.items()) if headers else ()
    return items if auth is None else (*items, ("Authorization", basic_auth(*auth)))
