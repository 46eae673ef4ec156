"""URLs, parsed once into where to connect, what to request and with which credentials."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# What may stand in a request line as it is; everything else is percent-encoded.
_PLAIN_TARGET = re.compile(r"(?:[A-Za-z0-9\-._~/?=&:@!$'()*+,;]|%[0-9A-Fa-f]{2})*").fullmatch
_SAFE = "!$%&'()*+,/:;=?@~"
_LOOSE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[a-z0-9\-._]+|[0-9a-f:.]*:[0-9a-f:.]*").fullmatch


class Origin(NamedTuple):
    """Where to connect: a scheme, a host (an IPv6 address without brackets) and a port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return the host as the Host header gives it, with its port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


class Url(NamedTuple):
    """An absolute URL: its origin, path with query (percent-encoded), and Authorization value or ""."""

    origin: Origin
    target: str
    authorization: str = ""

    def __str__(self) -> str:
        """Return the URL without credentials."""
        return f"{self.origin.scheme}://{self.origin.authority}{self.target}"


def parse_url(text: str) -> Url:
    """Parse an absolute http or https URL; raises ValueError, without its password, for any other text."""
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:  # its message may quote a password
        scheme, host, port = "", "", 0
    if not is_absolute(text):
        raise ValueError(f"URL {redacted(text)!r} must start with http:// or https://")
    if not _HOST(host) or port == 0:
        raise ValueError(f"URL {redacted(text)!r} has no valid host and port")
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Url(
        Origin(scheme, host, port or _DEFAULT_PORTS[scheme]),
        encode_target(target),
        basic_auth(user, password) if user or password else "",
    )


def is_absolute(url: str) -> bool:
    """Say whether a URL names its own host."""
    return url[:8].lower().startswith(("http://", "https://"))


def without_credentials(url: str) -> str:
    """Return a URL as it is, but without user and password."""
    before, slashes, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    credentials, at_sign, _ = authority.rpartition("@")
    return f"{before}{slashes}{rest[len(credentials) + len(at_sign) :]}"


def redacted(text: str) -> str:
    """Return a text that cannot be parsed as a URL without what may be a password: all that precedes an @."""
    return re.sub(r"^([A-Za-z]+://)?.*@", r"\1", text, flags=re.DOTALL)


def encode_target(target: str) -> str:
    """Drop the fragment, and percent-encode what may not stand in a request line and is not encoded yet."""
    if _PLAIN_TARGET(target):
        return target
    return quote(_LOOSE_PERCENT.sub("%25", target.partition("#")[0]), safe=_SAFE)


def with_params(url: str, params: Any) -> str:
    """Append a query: a mapping or pairs (a value may be a list, None is left out), or a ready string."""
    query = params if isinstance(params, str) else encode_pairs(params)
    if not query:
        return url
    base, hash_sign, fragment = url.partition("#")
    return f"{base}{'&' if '?' in base else '?'}{query}{hash_sign}{fragment}"


def encode_pairs(fields: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Return fields as a form or a query writes them; a list gives one field per value, None gives none."""
    pairs = []
    for key, value in fields.items() if isinstance(fields, Mapping) else fields:
        if isinstance(value, list | tuple | set):
            pairs += [(key, each) for each in value]
        elif value is not None:
            pairs.append((key, value))
    return urlencode(pairs)


def basic_auth(user: str | bytes, password: str | bytes) -> str:
    """Return the value of the Authorization header for HTTP Basic."""
    pair = b":".join(part.encode("latin-1") if isinstance(part, str) else part for part in (user, password))
    return f"Basic {b64encode(pair).decode('ascii')}"
