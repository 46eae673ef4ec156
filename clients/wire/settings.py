"""The settings of a user class, checked all at once, and what all its users share because of them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from clients.wire.pool import Limits
from clients.wire.proxies import proxy_variable_for
from clients.wire.request_head import HeaderItems, RequestWriter, encode_headers
from clients.wire.tls import default_context
from clients.wire.url import parse_url

MAX_KEPT = 64
_USER_AGENT = ("User-Agent", "plimsoll")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a user class talks HTTP; the timeouts are in s."""

    connection_timeout: float = 5.0
    network_timeout: float = 30.0
    total_timeout: float = 60.0
    max_redirects: int = 30
    concurrency: int = 10
    default_headers: HeaderItems = field(default=(), hash=False)  # a fault may be a value that has no hash
    insecure: bool = False
    ssl_context_factory: Callable[[], ssl.SSLContext] | None = None


class Shared(NamedTuple):
    """What all users of a class share."""

    writer: RequestWriter
    limits: Limits
    max_redirects: int
    total_timeout_s: float


@lru_cache(maxsize=MAX_KEPT)
def share(base_url: str, settings: Settings) -> Shared:
    """Return what users with these settings share; there must be no faults in them."""
    factory = settings.ssl_context_factory
    limits = Limits(
        connect_timeout_s=settings.connection_timeout,
        silence_s=settings.network_timeout,
        most_per_origin=settings.concurrency,
        context=factory() if factory else default_context(insecure=settings.insecure),
    )
    writer = RequestWriter(base_url, (_USER_AGENT, *settings.default_headers))
    return Shared(writer, limits, settings.max_redirects, settings.total_timeout)


def faults_of(base_url: str | None, settings: Settings) -> list[str]:
    """Return all that is wrong with the settings of a user class and with its host."""
    times = ("connection_timeout", "network_timeout", "total_timeout")
    wanted = [(name, 0, "seconds above 0") for name in times]
    wanted += [("concurrency", 0, "at least 1"), ("max_redirects", -1, "at least 0")]
    values = [(name, getattr(settings, name), least, valid) for name, least, valid in wanted]
    faults = [
        f"{name} must be {valid}, got {v!r}" for name, v, least, valid in values if not is_above(least, v)
    ]
    try:
        encode_headers(settings.default_headers)
    except (TypeError, ValueError) as error:
        faults.append(f"default_headers: {error}")
    return faults + _faults_of_url(base_url)


def _faults_of_url(base_url: str | None) -> list[str]:
    if base_url is None:
        return ["host is not set: give it to the user class, or on the command line as --host"]
    try:
        origin = parse_url(base_url).origin
    except ValueError as error:
        return [f"host: {error}"]
    variable = proxy_variable_for(origin)
    told = f"{variable} is set, but proxies are not supported: unset it, or have NO_PROXY name {origin.host}"
    return [told] if variable else []


def is_above(least: float, value: object) -> bool:
    """Say whether a value is a number above another."""
    return isinstance(value, int | float) and value > least
