"""From the bytes of a body to its content, and to its text."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache

from clients.wire.errors import DecodingFailed

try:
    import brotli
except ImportError:  # only who asks for br needs it
    brotli = None

_GZIP_START = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS
_MAX_KEPT_TYPES = 64
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)


def decode_content(body: bytes, encodings: str) -> bytes:
    """Undo the codings that a Content-Encoding header lists, the last first, up to one that nobody knows.

    Raises DecodingFailed.
    """
    for encoding in reversed(encodings.lower().split(",")):
        decoder = _DECODERS.get(encoding.strip())
        # An answer to HEAD, or of status 204, has no body but tells how it would be encoded.
        if decoder is None or not body:
            break
        try:
            body = decoder(body)
        except zlib.error:
            raise DecodingFailed(encoding.strip()) from None
    return body


def decode_text(content: bytes, encoding: str) -> str:
    """Return the content as text; what cannot be read becomes a replacement character."""
    try:
        return content.decode(encoding, errors="replace")
    except LookupError:  # a charset that nobody knows
        return content.decode(errors="replace")


def encoding_of(content_type: str, content: bytes) -> str:
    """Return the charset that a Content-Type header names or implies, else one that fits the content."""
    if charset := _charset_of(content_type):
        return charset
    try:
        content.decode()
    except UnicodeDecodeError:
        return "iso-8859-1"
    return "utf-8"


@lru_cache(maxsize=_MAX_KEPT_TYPES)
def _charset_of(content_type: str) -> str | None:
    if named := _CHARSET.search(content_type):
        return named[1]
    if "json" in content_type:
        return "utf-8"
    return "iso-8859-1" if "text" in content_type else None


def _gunzip(body: bytes) -> bytes:
    pieces: list[bytes] = []
    while body.startswith(_GZIP_START) or not pieces:
        member = zlib.decompressobj(_GZIP_BITS)
        pieces.append(member.decompress(body))
        if not member.eof:
            raise zlib.error
        body = member.unused_data
    return b"".join(pieces)


def _inflate(body: bytes) -> bytes:
    try:
        return zlib.decompress(body)
    except zlib.error:
        # The standard wants a zlib header, which some servers leave out.
        return zlib.decompress(body, -zlib.MAX_WBITS)


def _unbrotli(body: bytes) -> bytes:
    if brotli is None:
        raise DecodingFailed("br needs the package brotli; install it, or ask for gzip and deflate only")
    try:
        content: bytes = brotli.decompress(body)
    except brotli.error:
        raise DecodingFailed("br") from None
    return content


_DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": _unbrotli,
    "deflate": _inflate,
    "gzip": _gunzip,
    "identity": bytes,
    "x-gzip": _gunzip,
}
