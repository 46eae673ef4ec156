"""Keep secrets out of everything that is written down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

MASK = "***"
# Texts come from the service under test and are redacted in the load generator: their length is bounded, and
# so is every repetition below, or one long answer would stall the load.
LONGEST = 4000

_I = re.IGNORECASE
_WORD = (
    r"(?:password|passwd|pwd|secret|token|api[-_]?key|access[-_]?key|credential|session[-_]?id)[\w-]{0,40}"
)
_CLOSED = r"\\?[\"']?\s{0,3}"
# name=value anywhere; name: value only where a name begins, because request names end in such words too.
_NAMED = rf"(?:{_WORD}{_CLOSED}=|(?<![\w.]){_WORD}{_CLOSED}:)\s{{0,3}}\\?"
_VALUE = r"[^\s\"'&,;})\\]{1,1000}"

_URL_USER = re.compile(r"(?<=://)([^\s/:@\"'<>]{0,200}):[^\s\"'<>]{1,1000}@")
_URL_TOKEN = re.compile(r"(?<=://)[^\s/:@\"'<>]{1,200}@")
_HEADER_NAME = r"\b(?:(?:proxy-)?authorization|(?:set-)?cookie)"
_HEADER = re.compile(rf"({_HEADER_NAME}{_CLOSED}[:=]\s{{0,3}}\\?[\"']?)[^\"'\r\n]{{1,1000}}", _I)
_SCHEME = re.compile(r"\b(Bearer|Basic)\s{1,3}[\w.~+/=-]{1,1000}", _I)
_JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]{1,1000}\.[\w-]{1,2000}(?:\.[\w-]{0,1000})?")
_QUOTED = re.compile(rf"({_NAMED}[\"'])[^\"']{{0,1000}}", _I)
_BARE = re.compile(rf"({_NAMED}){_VALUE}", _I)
_QUERY = re.compile(rf"([?&](?:key|sig|signature|auth)=){_VALUE}", _I)
_SENSITIVE_OPTION = re.compile(rf"--[\w-]{{0,40}}{_WORD}", _I)


@lru_cache(maxsize=4096)
def redact(text: str) -> str:
    """Return *text* with passwords in URLs, tokens, and values of secret-looking names masked.

    At most LONGEST characters are returned. A harmless word may be masked with them; a secret must not stay.
    """
    text = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    text = _URL_USER.sub(rf"\1:{MASK}@", text)
    text = _URL_TOKEN.sub(f"{MASK}@", text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _JSON_WEB_TOKEN.sub(MASK, text)
    text = _QUOTED.sub(rf"\1{MASK}", text)
    text = _BARE.sub(rf"\1{MASK}", text)
    return _QUERY.sub(rf"\1{MASK}", text)


def storable(text: str) -> str:
    """Return *text* redacted, with a question mark for what UTF-8 cannot carry."""
    return redact(text).encode("utf-8", "replace").decode("utf-8")


def redact_command(arguments: Sequence[str]) -> list[str]:
    """Return a command line with secrets masked, also where option and value are two words."""
    masked: list[str] = []
    for position, argument in enumerate(arguments):
        follows_secret = position > 0 and _SENSITIVE_OPTION.fullmatch(arguments[position - 1])
        masked.append(MASK if follows_secret else redact(argument))
    return masked


class RedactingWriter:
    """A csv writer that redacts every text it is given."""

    def __init__(self, writer: object) -> None:
        self._writerow = writer.writerow  # type: ignore[attr-defined] # csv has no public writer type

    def writerow(self, row: Iterable[object]) -> None:
        """Write one row."""
        self._writerow([redact(field) if isinstance(field, str) else field for field in row])
