"""Secrets never reach what is written down."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.redact import RedactingWriter, redact, redact_command

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("http://ann:s3cret@host:80/x", "http://ann:***@host:80/x"),
        ("postgresql://ann:s3cret@host/db", "postgresql://ann:***@host/db"),
        ("http://:s3cret@host/", "http://:***@host/"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer ***"),
        (f"got {TOKEN} back", "got *** back"),
        ("/login?user=ann&token=abc&page=2", "/login?user=ann&token=***&page=2"),
        ('{"password": "a b", "name": "ann"}', '{"password": "***", "name": "ann"}'),
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
        "secret word: password too short",
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
