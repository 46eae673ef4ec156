"""Keep secrets out of everything that is written down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

MASK = "***"

_SENSITIVE_NAME = (
    r"[\w-]*(?:password|passwd|pwd|secret|token|api[-_]?key|access[-_]?key|authorization|credential)[\w-]*"
)
_URL_USER = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]*@")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE)
_JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")
_ASSIGNED = re.compile(rf"({_SENSITIVE_NAME}=)[^\s\"'&,;]+", re.IGNORECASE)
_JSON_MEMBER = re.compile(rf"([\"']{_SENSITIVE_NAME}[\"']\s*:\s*)([\"']).*?\2", re.IGNORECASE)
_SECRET_OPTION = re.compile(rf"--{_SENSITIVE_NAME}", re.IGNORECASE)


@lru_cache(maxsize=4096)
def redact(text: str) -> str:
    """Return *text* with passwords in URLs, bearer tokens and values of secret-looking names masked."""
    text = _URL_USER.sub(rf"\1:{MASK}@", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _JSON_WEB_TOKEN.sub(MASK, text)
    text = _ASSIGNED.sub(rf"\1{MASK}", text)
    return _JSON_MEMBER.sub(rf"\1\2{MASK}\2", text)


def redact_command(arguments: Sequence[str]) -> list[str]:
    """Return a command line with secrets masked, also where option and value are two words."""
    masked: list[str] = []
    for position, argument in enumerate(arguments):
        follows_secret = position > 0 and _SECRET_OPTION.fullmatch(arguments[position - 1])
        masked.append(MASK if follows_secret else redact(argument))
    return masked


class RedactingWriter:
    """A csv writer that redacts every text it is given."""

    def __init__(self, writer: object) -> None:
        self._writerow = writer.writerow  # type: ignore[attr-defined] # csv has no public writer type

    def writerow(self, row: Iterable[object]) -> None:
        """Write one row."""
        self._writerow([redact(field) if isinstance(field, str) else field for field in row])
