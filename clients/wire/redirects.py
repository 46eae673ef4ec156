"""Where a redirect leads, by the rules that `requests` and browsers follow."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urljoin

from clients.wire.errors import RedirectFailed
from clients.wire.url import Origin, Url, is_absolute

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_KEEPING_THE_BODY = frozenset({307, 308})


class Step(NamedTuple):
    """The next request of a chain: its method, its URL, and whether it carries the same body."""

    method: str
    url: str
    keeps_body: bool


def next_step(status: int, method: str, url: Url, location: str) -> Step:
    """Return what to ask for after a redirect from a URL; raises RedirectFailed for what is no web address.

    303 becomes GET, 302 too, 301 only when it was POST, HEAD never; only 307 and 308 carry the body along.
    """
    try:
        target = _as_sent(location).strip()
        # Joined, an absolute URL without a host would take on the old one's.
        target = target if is_absolute(target) else urljoin(str(url), target)
    except ValueError:
        target = ""
    if not is_absolute(target):
        raise RedirectFailed("its Location is no http or https URL")
    becomes_get = (method != "HEAD") if status in {302, 303} else (status, method) == (301, "POST")
    return Step("GET" if becomes_get else method, target, status in _KEEPING_THE_BODY)


def may_keep_authorization(old: Origin, new: Origin) -> bool:
    """Say whether credentials for one origin may be sent to another: the same one, or its https twin."""
    is_upgrade = (old.scheme, old.port, new.scheme, new.port) == ("http", 80, "https", 443)
    return old == new or (old.host == new.host and is_upgrade)


def _as_sent(location: str) -> str:
    """Return a header's text by UTF-8, which servers write there, where it was read by Latin-1."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeDecodeError:
        return location
