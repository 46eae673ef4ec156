"""Bodies decoded, and read as text."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.wire import decoding
from clients.wire.decoding import decode_content, decode_text, encoding_of
from clients.wire.errors import DecodingFailed


def raw_deflate(content: bytes) -> bytes:
    """Compress without zlib's header, as some servers do."""
    return zlib.compress(content)[2:-4]


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "identity": bytes,
}


@given(name=st.sampled_from(sorted(ENCODERS)), content=st.binary(min_size=1))
def test_content_comes_back(name: str, content: bytes) -> None:
    """What was encoded in a known way is the same when decoded."""
    assert decode_content(ENCODERS[name](content), name.upper()) == content


def test_deflate_without_header() -> None:
    """Deflate is read with and without its header."""
    assert decode_content(raw_deflate(b"abc"), "deflate") == b"abc"


def test_several_codings() -> None:
    """The last coding is undone first."""
    assert decode_content(gzip.compress(zlib.compress(b"abc")), "deflate, gzip") == b"abc"


def test_several_members() -> None:
    """A gzip body may be made of several."""
    assert decode_content(gzip.compress(b"ab") + gzip.compress(b"c"), "gzip") == b"abc"


def test_unknown_coding() -> None:
    """What nobody knows stays as it is, and so does what is below it."""
    assert decode_content(b"stripes", "gzip, zebra") == b"stripes"


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("damage", ["corrupt", "truncated"])
def test_damaged(name: str, damage: str) -> None:
    """A damaged body is a failure that names its coding."""
    body = ENCODERS[name](b"content" * 9)
    damaged = b"\xff" + body[1:] if damage == "corrupt" else body[:-1]
    with pytest.raises(DecodingFailed, match=name):
        decode_content(damaged, name)


def test_no_body() -> None:
    """An answer without a body is not decoded."""
    assert decode_content(b"", "gzip") == b""


def test_brotli_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for br without its package is told what to install."""
    monkeypatch.setattr(decoding, "brotli", None)
    with pytest.raises(DecodingFailed, match="package brotli"):
        decode_content(b"x", "br")


@pytest.mark.parametrize(
    ("content_type", "content", "encoding"),
    [
        ("text/html; charset=UTF-8", b"", "UTF-8"),
        ('text/html; charset="koi8-r"; x=y', b"", "koi8-r"),
        ("text/html", b"\xc3\xbc", "iso-8859-1"),
        ("application/json", b"\xfc", "utf-8"),
        ("", b"\xc3\xbc", "utf-8"),
        ("application/x", b"\xfc", "iso-8859-1"),
    ],
)
def test_encoding(content_type: str, content: bytes, encoding: str) -> None:
    """A charset is what the type names or implies, else what fits."""
    assert encoding_of(content_type, content) == encoding


@pytest.mark.parametrize(
    ("content", "encoding", "text"),
    [(b"\xfc", "latin-1", "ü"), (b"\xfc", "utf-8", "�"), (b"\xc3\xbc", "martian", "ü")],
)
def test_text(content: bytes, encoding: str, text: str) -> None:
    """Text is read whatever the bytes and the charset are."""
    assert decode_text(content, encoding) == text
