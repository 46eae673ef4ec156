"""Secrets never reach what is written down or shown, and names stay identities."""

import re
import string
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.redact import (
    _IN_PROSE,
    MAX_LENGTH,
    MAX_LOG_LENGTH,
    redact,
    redact_command,
    redact_log,
    redact_name,
)

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"

# Where a secret's value is, and what is shown instead.
ASSIGNED = [
    ("/login?user=ann&token=abc&page=2", "/login?user=ann&token=***&page=2"),
    ("/file?key=7f3a9c2b7d&sig=oDc3Q%2BzW8a2fX1b%3D&page=2", "/file?key=***&sig=***&page=2"),
    ("/?token=a", "/?token=***"),
    ("/?token=expired&page=2", "/?token=***&page=2"),
    ("password=None", "password=***"),
    ("password%3Dwrong", "password%3D***"),
    ("/callback?code=SplxlOBeZQQYbYS6&state=xyz", "/callback?code=***&state=xyz"),
    ("DB_PASSWORD=abc", "DB_PASSWORD=***"),
    ("pass=abc", "pass=***"),
    ("userPass=abc", "userPass=***"),
    ("passphrase=abc", "passphrase=***"),
    ("token=Bearer abc.def", "token=Bearer ***"),
    ("/x?authorization=Basic%20YTpi", "/x?authorization=***"),
    ("PRIVATE_KEY=abc", "PRIVATE_KEY=***"),
    ("session=8f3a9c2b7d", "session=***"),
    ("?session=550e8400-e29b-41d4-a716-446655440000", "?session=***"),
    ("jwt=abc", "jwt=***"),
    ("bearer=abc", "bearer=***"),
    ("code=4/0AX4XfWh", "code=***"),
    ("pin=1234", "pin=***"),
    ("otp=123456", "otp=***"),
    ("password = 'a b'", "password = '***'"),
    ('password="it\'s"', 'password="***"'),
    (r'password="a\"b"', 'password="***"'),
    ("password=b'abc'", "password=b'***'"),
    ("password=\nabc", "password=\n***"),
    ("password=ab,c1;d)e}f user=ann", "password=*** user=ann"),
    ("password=ab,)$1", "password=***"),
    ("Server=db;Password=ab;c1;Database=shop", "Server=db;Password=***;Database=shop"),
    ("connect(password=abc, user=ann)", "connect(password=***, user=ann)"),
    ("{password=abc,name=ann},{", "{password=***,name=ann},{"),
    ("/users(token=abc)/orders", "/users(token=***)/orders"),
    ("login(token=abc).step", "login(token=***).step"),
    ("password%3Dabc%26page%3D2", "password%3D***%26page%3D2"),
    ("page%3D2%26pin%3D1234", "page%3D2%26pin%3D***"),
    ("token%253Dabc", "token%253D***"),
    ("%22password%22%3A%22abc%22", "%22password%22%3A%22***%22"),
    ('{"password": "a b", "name": "ann"}', '{"password": "***", "name": "ann"}'),
    ('{"access_token":"abc","expires":3600}', '{"access_token":"***","expires":3600}'),
    (r"{\"password\": \"ab\"}", r"{\"password\": \"***\"}"),
    ('{"session": "8f3a9c2b7d"}', '{"session": "***"}'),
    ("otp: 123456", "otp: ***"),
    ('{"pin": 1234}', '{"pin": ***}'),
    ("http://ann:s3cret@host:80/x", "http://ann:***@host:80/x"),
    ("http://ann:s3@cret@host/", "http://ann:***@host/"),
    ("http://:s3cret@host/", "http://:***@host/"),
    ("?next=http%3A%2F%2Fann%3As3cret%40host%2Fx", "?next=http%3A%2F%2Fann%3A***%40host%2Fx"),
    ("ann:s3:cret@db.example.com:5432/shop", "ann:***@db.example.com:5432/shop"),
    (f"got {TOKEN} back", "got *** back"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "***"),
    ("github_pat_11ABCDEFG0123456789_abcdef", "***"),
    ("glpat-16C7e42F292c6912E771", "***"),
    ("xoxb-123456789012-abcdef", "***"),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "***"),
    ("AKIAIOSFODNN7EXAMPLE", "***"),
    (f"read {PRIVATE_KEY} there", "read *** there"),
    (f"PRIVATE_KEY='{PRIVATE_KEY[:40]}", "PRIVATE_KEY='***"),
]
# What is a secret only in prose: the name of a request may well be `password: reset` or `Basic search`.
TOLD = [
    ("/file?sig=def&page=2", "/file?sig=***&page=2"),
    ("/file?key=abc&page=2", "/file?key=***&page=2"),
    ("session=invalid", "session=***"),
    ("session=abc", "session=***"),
    ("session=Bearer abc.def", "session=Bearer ***"),
    ("sig=abc", "sig=***"),
    ("code=DE10115", "code=***"),
    ('{"session": "abc"}', '{"session": "***"}'),
    ("postgresql://ann:s3/cret@host/db", "postgresql://ann:***@host/db"),
    ("https://ghp_abc@host/", "https://***@host/"),
    ("ann:s3cret@host", "ann:***@host"),
    ("Authorization: Bearer abc.def-1", "Authorization: ***"),
    ("Authorization: Token abc", "Authorization: ***"),
    ("Authorization:\n    Bearer abc", "Authorization:\n    ***"),
    ('Authorization: Digest username="ann", response="abc"', "Authorization: ***"),
    ("{'Authorization': 'Bearer abc', 'x': 1}", "{'Authorization': '***', 'x': 1}"),
    ("Cookie: sid=abc; theme=dark", "Cookie: ***"),
    ("sent Bearer abc.def-1 twice", "sent Bearer *** twice"),
    ("Token 9944b09199c62bcf9418", "Token ***"),
    ("Token abcDEF", "Token ***"),
    ("Basic dXNlcjpwYXNz", "Basic ***"),
    ("X-Api-Key: abc", "X-Api-Key: ***"),
    ("API key: abc", "API key: ***"),
    ("token: Bearer abc.def", "token: Bearer ***"),
    ("passphrase: correct horse, then", "passphrase: ***, then"),
    ('{"password": 123}', '{"password": ***}'),
    ("password: hunter2", "password: ***"),
    ("password:\n  hunter2", "password:\n  ***"),
    (r"CatchResponseError('password:\nhunter2')", r"CatchResponseError('password:\n***')"),
    ("password: |\n  hunter2", "password: |\n  ***"),
    ("pass: hunter2", "pass: ***"),
    ("session: 8f3a9c", "session: ***"),
]
PLAIN = [
    "passed=12",
    "pinned",
    "spin=3",
    "compass=north",
    "code 404",
    "code=404",
    "code=1006",
    "code=-32600",
    "code=NOT_FOUND",
    "status code: 500",
    "status_code=500",
    "country_code=DE",
    "encode=utf8",
    "session expired",
    "Session: morning",
    "Token expected",
    "token: expired",
    "password = None",
    "password=\nTraceback",
    "tokens: 512",
    "max_tokens=100",
    "secretary: Ann",
    "signed=1",
    "pass rate: 99%",
    "pass: 12, fail: 3",
    "Bearer token missing",
    "Basic auth failed",
    "Basic search",
    "COOKIE: POST /login failed",
    "mailto:ann@example.com",
    "http://127.0.0.1:8000/users/ann@example.com",
    "http://127.0.0.1:8000/api/products?page=2",
    "POST /reset-password: HTTPError('401 Client Error')",
    "auth.login_wrong_password: got 200, expected 401",
    "auth.login: token is empty, expected a non-empty one",
    "the password is too short",
]
NAMES = [
    "/reports?session=3",
    "/rooms?session=morning",
    "/rooms?session=2024-autumn-b2",
    "/areas?code=DE10115",
    "/items?key=3",
    "/items?page=2&key=chairs",
    "/areas?code=10117",
    "/verify?pin=3",
    "/styles?sig=v2",
    'room(session: "abc")',
    "COOKIE: POST /login",
    "Set-Cookie: ok",
    "Authorization: GET /orders",
    "Basic search",
    "Bearer login",
    "Token refresh",
    "token: refresh",
    "password: reset",
    "session: start",
    "otp: verify",
    "login:ann@example.com",
    "rpc:cart@v2/orders",
    "sftp://ann@host",
    "GET http://127.0.0.1:8000/users/ann@example.com",
    "hf_search_models",
    "sk-learn-pipeline-v2-of-users-and-teams",
]
VALUES = st.text(string.ascii_letters + string.digits, min_size=16, max_size=40).filter(
    lambda value: any(map(str.isdigit, value)) and any(map(str.islower, value))
)
PIECES = st.sampled_from(
    [
        *("a", "A1", "token", "password", "pass", "code", "pin", "bearer", "basic", "cookie"),
        *("://", "=", ":", "@", "/", "&", "?key", "%3A", "%3D", "%22", "%25", "&quot;", "\\", '"', "'", "b'"),
        *("authorization", " ", "\n", "\\n", "|", "-", "_", ".", "…", "***", "404", "eyJ", "x@y", "GET "),
        *("host:80/", "\ud800"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


@pytest.mark.parametrize(("text", "redacted"), ASSIGNED + TOLD)
def test_secrets_are_masked(text: str, redacted: str) -> None:
    """What is a secret by its place or its shape is masked; what is around it stays."""
    assert redact(text) == redacted


@pytest.mark.parametrize(("name", "redacted"), ASSIGNED)
def test_secrets_in_names_are_masked(name: str, redacted: str) -> None:
    """A name is masked where the value of a secret is, and names that differ in it only are one."""
    assert redact_name(name) == redacted


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_stay(text: str) -> None:
    """A text that only speaks of passwords, codes and tokens stays as it is, as prose and as a name."""
    assert redact(text) == redact_name(text) == text


@pytest.mark.parametrize("name", NAMES)
def test_names_that_look_like_headers_stay(name: str) -> None:
    """A name without a secret is never changed, so that no two of them become one."""
    assert redact_name(name) == name


@given(
    st.sampled_from(
        ["Cookie: ", "Authorization: ", "Basic ", "Bearer ", "token: ", "password: ", "pin: ", ""]
    ),
    st.sampled_from(["", "GET ", "POST "]),
    st.lists(st.text(string.ascii_letters, min_size=1, max_size=15), min_size=1, max_size=4),
    st.sampled_from(["/", " ", "-", "."]),
)
def test_names_of_words_stay(prefix: str, method: str, words: list[str], separator: str) -> None:
    """Words behind whatever looks like a header are a name without a secret."""
    name = prefix + method + separator.join(words)

    assert redact_name(name) == name


@given(
    st.sampled_from([redact, redact_name]),
    st.sampled_from(["password={}", "?token={}&page=2", '{{"secret": "{}"}}', "session%3D{}", "pin={}"])
    | st.sampled_from(
        ["http://ann:{}@host/", "ann:{}@db:5432", "Bearer {}", "Authorization: Token {}", "ghp_{}"]
    ),
    VALUES,
    TEXTS,
    TEXTS,
)
def test_a_value_never_stays(mask: Any, place: str, value: str, before: str, after: str) -> None:
    """Whatever is around it, the value of a secret is not in what is shown."""
    assert value not in mask(f"{before} {place.format(value)} {after}")


@given(st.sampled_from([redact, redact_name]), st.text() | TEXTS)
def test_redacting_twice_changes_nothing(mask: Any, text: str) -> None:
    """A redacted text has no secret left, and can be written as UTF-8."""
    redacted = mask(text)

    assert mask(redacted) == redacted
    assert redacted.encode().decode() == redacted


def test_secret_of_an_option_in_two_words() -> None:
    """A command line is redacted also where the secret is the word after the option."""
    command = ["locust", "--db-password", "abc", "--pin", "1234", "--api-key=abc", "-H", "http://a:b@h"]
    redacted = ["locust", "--db-password", "***", "--pin", "***", "--api-key=***", "-H", "http://a:***@h"]

    assert redact_command(command) == redacted


@pytest.mark.parametrize("text", ["a" * 200_000, "token " * 40_000, "password=" * 20_000, "x@y:z " * 40_000])
def test_long_texts_are_cut(text: str) -> None:
    """A text of any length from the service takes no more room than a short one."""
    assert len(redact(text)) <= MAX_LENGTH
    assert len(redact_name(text)) <= MAX_LENGTH
    assert len(redact_log(text)) <= MAX_LOG_LENGTH
    assert redact_name(redact_name(text)) == redact_name(text)


def test_long_names_stay_different() -> None:
    """Names that are cut are told apart by what was cut off."""
    long = "/products/" * 1000

    assert redact_name(f"{long}a") != redact_name(f"{long}b")


@pytest.mark.parametrize("length", range(3900, 4100, 7))
def test_nothing_stays_of_a_secret_where_a_text_is_cut(length: int) -> None:
    """Half of a secret at the end of what is read does not look like one, and is cut off, too."""
    text = f"{'x ' * (length // 2)}http://ann:s3cret{'s3cret' * 40}@host/ {'y ' * 4000}"

    assert "s3cret" not in redact(text)


def repetitions(parsed: Any, outer: int = 1) -> Iterator[tuple[int, int]]:
    """Yield of all repetitions in a parsed pattern how often, and how often what they are in is repeated."""
    for operation, argument in parsed:
        inner = outer
        if str(operation).endswith("_REPEAT"):
            inner = max(outer, argument[1])
            yield argument[1], outer
        for part in argument if isinstance(argument, tuple) else ():
            # A group's parts are patterns, or lists of them.
            for nested in part if isinstance(part, list) else [part]:
                if type(nested).__name__ == "SubPattern":
                    yield from repetitions(nested, inner)


@pytest.mark.parametrize("pattern", [rule.pattern for rule in _IN_PROSE])
def test_no_text_takes_long(pattern: re.Pattern[str]) -> None:
    """No pattern repeats without a bound, or repeats a repetition, which takes time without one."""
    parser: Any = re._parser  # type: ignore[attr-defined] # the only way to see what a pattern does
    found = list(repetitions(parser.parse(pattern.pattern, pattern.flags)))

    assert all(most <= 99_999 for most in chain.from_iterable(found))
    assert all(most <= 1 or outer <= 1 for most, outer in found)
