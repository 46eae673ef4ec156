"""The headers of an answer, read when somebody looks at them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

HEAD_END = b"\r\n\r\n"
_find_content_type = re.compile(rb"\r\ncontent-type:([^\r]*)", re.IGNORECASE).search
_find_set_cookie = re.compile(rb"\nset-cookie:", re.IGNORECASE).search


def content_type_of(raw_head: bytes) -> str:
    """Return the first Content-Type of a head, "" for none: without reading all of its headers."""
    found = _find_content_type(raw_head)
    return found[1].decode("latin-1").strip(" \t") if found else ""


def may_set_cookies(raw_head: bytes) -> bool:
    """Say whether a head sets cookies, for which all of its headers are read then."""
    return _find_set_cookie(raw_head) is not None


class ResponseHeaders(Mapping[str, str]):
    """The headers of an answer; names in any case, and the values of one name joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, raw_head: bytes) -> None:
        """Read a head that the parser has accepted: status line, headers, and what may follow them."""
        self._values: dict[str, tuple[str, list[str]]] = {}
        for line in raw_head.partition(HEAD_END)[0].decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            self._values.setdefault(name.lower(), (name, []))[1].append(value.strip(" \t"))

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()][1])

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def getlist(self, name: str) -> list[str]:
        """Return every value of a header by itself, as Set-Cookie needs it."""
        return list(self._values.get(name.lower(), ("", []))[1])
