"""Proxies that the environment asks for, which these clients do not support."""

from __future__ import annotations

import os
import urllib.request

from clients.wire.url import Origin

_VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def proxy_variable_for(origin: Origin) -> str | None:
    """Return the name of the environment variable that wants requests to an origin to go through a proxy."""
    if not any(name in os.environ for name in _VARIABLES):
        return None
    proxies = urllib.request.getproxies_environment()
    kind = next((kind for kind in (origin.scheme, "all") if kind in proxies), None)
    if kind is None or urllib.request.proxy_bypass_environment(origin.authority, proxies):  # type: ignore[attr-defined]  # typeshed has it for Windows and macOS only
        return None
    return f"{kind.upper()}_PROXY"
