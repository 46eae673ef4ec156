"""Secrets never reach what is written down."""

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.redact import RedactingWriter, redact, redact_command

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("http://ann:s3cret@host:80/x", "http://ann:***@host:80/x"),
        ("http://ann:s3@cret@host/", "http://ann:***@host/"),
        ("postgresql://ann:s3/cret@host/db", "postgresql://ann:***@host/db"),
        ("http://:s3cret@host/", "http://:***@host/"),
        ("https://ghp_abc@host/", "https://***@host/"),
        ("Authorization: Bearer abc.def-1", "Authorization: ***"),
        ("Authorization: Token abc", "Authorization: ***"),
        ("sent Bearer abc.def-1 twice", "sent Bearer *** twice"),
        ("Cookie: sid=abc; theme=dark", "Cookie: ***"),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        (f"got {TOKEN} back", "got *** back"),
        ("/login?user=ann&token=abc&page=2", "/login?user=ann&token=***&page=2"),
        ("/file?key=abc&sig=def&page=2", "/file?key=***&sig=***&page=2"),
        ('{"password": "a b", "name": "ann"}', '{"password": "***", "name": "ann"}'),
        (r"{\"password\": \"ab\"}", r'{\"password\": \"***"}'),
        ('{"password": 123}', '{"password": ***}'),
        ("password: hunter2", "password: ***"),
        ("DB_PASSWORD=abc", "DB_PASSWORD=***"),
    ],
)
def test_secrets_are_masked(text: str, redacted: str) -> None:
    """What is a secret by its place or its shape is masked; what is around it stays."""
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "auth.login_wrong_password: got 200, expected 401",
        "http://127.0.0.1:8000/api/products?page=2",
        "auth.login: token is empty, expected a non-empty one",
        "the password is too short",
    ],
)
def test_ordinary_texts_stay(text: str) -> None:
    """An error text that only speaks of passwords and tokens stays readable."""
    assert redact(text) == text


def test_secret_of_an_option_in_two_words() -> None:
    """A command line is redacted also where the secret is the word after the option."""
    command = ["locust", "--db-password", "abc", "--api-key=abc", "-H", "http://a:b@h"]

    assert redact_command(command) == [
        "locust",
        "--db-password",
        "***",
        "--api-key=***",
        "-H",
        "http://a:***@h",
    ]


@given(st.text())
def test_redacting_twice_changes_nothing(text: str) -> None:
    """A redacted text has no secret left."""
    assert redact(redact(text)) == redact(text)


def test_rows_are_redacted() -> None:
    """Names and errors are redacted on their way into a CSV; numbers pass as they are."""
    file = io.StringIO()

    RedactingWriter(csv.writer(file)).writerow(["GET", "/x?token=abc", 1, 2.5, None])

    assert file.getvalue() == "GET,/x?token=***,1,2.5,\r\n"


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "token" * 40_000, "://" * 60_000, "password=" * 20_000, "x@" * 90_000]
)
def test_long_texts_do_not_stall_the_load(text: str) -> None:
    """A text of any length from the service is cut and redacted at once: the load waits for it."""
    started = time.process_time()
    shortened = redact(text)

    assert time.process_time() - started < 0.05
    assert len(shortened) < 10_000
