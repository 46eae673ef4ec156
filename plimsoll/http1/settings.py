"""The settings of a client, checked all at once."""

from __future__ import annotations

import os
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from plimsoll.http1.connect import default_ssl_context
from plimsoll.http1.request import HeaderItems, RequestEncoder, encode_headers
from plimsoll.http1.url import Origin, parse_url

_USER_AGENT = ("User-Agent", "plimsoll")
_PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@dataclass(frozen=True)
class ClientSettings:
    """How clients talk HTTP to a base URL.

    Clients with the same settings object share what is made of it: encoded requests and the TLS settings.
    `ssl_context_factory` makes the latter, in place of the default ones; `insecure`: any certificate is
    accepted.
    """

    base_url: str
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    total_timeout_s: float = 60.0
    max_redirects: int = 30
    max_connections: int = 10
    default_headers: HeaderItems = field(default=(), hash=False)  # an invalid value may have no hash
    insecure: bool = False
    ssl_context_factory: Callable[[], ssl.SSLContext] | None = None

    @cached_property
    def encoder(self) -> RequestEncoder:
        """What encodes the requests; only for settings without faults."""
        return RequestEncoder(self.base_url, (_USER_AGENT, *self.default_headers))

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """The TLS settings."""
        factory = self.ssl_context_factory
        return factory() if factory else default_ssl_context(insecure=self.insecure)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield each setting that is wrong, and what is wrong with it: "must be seconds above 0, got 0"."""
        for name in ("connect_timeout_s", "read_timeout_s", "total_timeout_s"):
            if not is_seconds(value := getattr(self, name)):
                yield name, f"must be seconds above 0, got {value!r}"
        for name, least in (("max_connections", 1), ("max_redirects", 0)):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and value >= least):
                yield name, f"must be at least {least}, got {value!r}"
        try:
            encode_headers(self.default_headers)
        except (TypeError, ValueError) as error:
            yield "default_headers", f"must be valid headers: {error}"
        try:
            origin = parse_url(self.base_url).origin
        except ValueError as error:
            yield "base_url", f"must be a base URL: {error}"
        else:
            if variable := proxy_variable_for(origin):
                yield (
                    "base_url",
                    f"is behind the proxy of {variable}, and proxies are not supported: unset it, or add "
                    f"{origin.host} to NO_PROXY",
                )


def is_seconds(value: object) -> bool:
    """Whether a value can be a timeout: a number above 0."""
    return isinstance(value, int | float) and value > 0


def proxy_variable_for(origin: Origin) -> str | None:
    """Return the environment variable by which requests to an origin should go through a proxy, if any."""
    if not any(name in os.environ for name in _PROXY_VARIABLES):
        return None
    proxies = urllib.request.getproxies_environment()
    kind = next((kind for kind in (origin.scheme, "all") if kind in proxies), None)
    if kind is None or urllib.request.proxy_bypass_environment(origin.authority, proxies):  # type: ignore[attr-defined]  # typeshed has it for Windows and macOS only
        return None
    return f"{kind.upper()}_PROXY"
