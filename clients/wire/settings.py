"""The settings of a user class, checked all at once, and what all its users share because of them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from clients.wire.pool import Limits
from clients.wire.proxies import proxy_variable_for
from clients.wire.request_head import HeaderItems, RequestWriter
from clients.wire.tls import default_context

_MAX_KEPT = 64
_USER_AGENT = ("User-Agent", "plimsoll")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a user class talks HTTP: the timeouts in s, the most redirects in a row, connections to an origin."""

    connection_timeout: float = 5.0
    network_timeout: float = 30.0
    total_timeout: float = 60.0
    max_redirects: int = 30
    concurrency: int = 10
    default_headers: HeaderItems = ()
    insecure: bool = False
    ssl_context_factory: Callable[[], ssl.SSLContext] | None = None


class Shared(NamedTuple):
    """What all users of a class share."""

    writer: RequestWriter
    limits: Limits
    max_redirects: int


def share(base_url: str | None, settings: Settings) -> Shared:
    """Return what users with these settings share; raises ValueError with all that is wrong with them."""
    faults = _faults_of(settings)
    shared = None
    try:
        if base_url is None:
            raise ValueError("host is not set: give it to the user class, or on the command line as --host")
        shared = _share(base_url, settings)
    except ValueError as error:
        faults.append(str(error))
    if shared and (variable := proxy_variable_for(shared.writer.base_url.origin)):
        host = shared.writer.base_url.origin.host
        faults.append(
            f"{variable} is set, but proxies are not supported: unset it, or add {host} to NO_PROXY"
        )
    if faults or not shared:
        raise ValueError("; ".join(faults))
    return shared


@lru_cache(maxsize=_MAX_KEPT)
def _share(base_url: str, settings: Settings) -> Shared:
    factory = settings.ssl_context_factory
    limits = Limits(
        connect_timeout_s=settings.connection_timeout,
        silence_s=settings.network_timeout,
        most_per_origin=settings.concurrency,
        context=factory() if factory else default_context(insecure=settings.insecure),
    )
    writer = RequestWriter(base_url, (_USER_AGENT, *settings.default_headers))
    return Shared(writer, limits, settings.max_redirects)


def _faults_of(settings: Settings) -> list[str]:
    times_s = {
        "connection_timeout": settings.connection_timeout,
        "network_timeout": settings.network_timeout,
        "total_timeout": settings.total_timeout,
    }
    faults = [
        f"{name} must be seconds above 0, got {s!r}" for name, s in times_s.items() if not _is_above(0, s)
    ]
    if not _is_above(0, settings.concurrency):
        faults.append(f"concurrency must be at least 1, got {settings.concurrency!r}")
    if not _is_above(-1, settings.max_redirects):
        faults.append(f"max_redirects must be at least 0, got {settings.max_redirects!r}")
    return faults


def _is_above(least: float, value: object) -> bool:
    return isinstance(value, int | float) and value > least
