"""The pure parts of the bundled service: passwords, tokens, query files, limits, periods."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.authentication import Account, Tokens, hash_password, password_matches
from service.database import parse_queries
from service.errors import InvalidInputError, TooManyRequestsError, UnauthorizedError
from service.reports import Period, period_until_today
from service.trending import RateLimit

SECRET = "s" * 32


def served(limit: RateLimit, times_s: Iterable[float]) -> int:
    """Return how many of the requests at these times are served."""
    count = 0
    for now_s in times_s:
        with suppress(TooManyRequestsError):
            limit.take(now_s)
            count += 1
    return count


@settings(max_examples=10, deadline=None)
@given(password=st.text(max_size=50), other=st.text(max_size=50))
def test_only_the_password_matches_its_hash(password: str, other: str) -> None:
    """A hash matches the password it was made of and no other."""
    stored = hash_password(password)

    assert password_matches(password, stored)
    assert password_matches(other, stored) == (password == other)


def test_hash_keeps_its_parameters_and_its_own_salt() -> None:
    """The parameters stand in the hash, and equal passwords have different hashes."""
    first, second = hash_password("plimsoll"), hash_password("plimsoll")

    assert first.startswith("scrypt$4096$8$1$")
    assert first != second


@given(user_id=st.integers(1, 2**63 - 1), student_id=st.none() | st.integers(1, 2**63 - 1))
def test_token_brings_the_account_back(user_id: int, student_id: int | None) -> None:
    """What a token is issued for is what it says when verified, twice alike."""
    tokens = Tokens(SECRET)
    account = Account(user_id, student_id, "student")
    token = tokens.issue(account)

    assert tokens.verify(token) == tokens.verify(token) == account


def test_remembered_token_still_expires() -> None:
    """A token verified before is refused once its time is over."""
    tokens = Tokens(SECRET)
    token = tokens.issue(Account(1, 1, "student"), lifetime_s=-1)

    for _ in range(2):
        with pytest.raises(UnauthorizedError, match="the bearer token has expired"):
            tokens.verify(token)


def test_rate_limit_serves_its_rate() -> None:
    """Asked 100 times a second for ten seconds, a limit of 20 a second serves 200 and a burst of 2."""
    limit = RateLimit()
    limit.set_rate(20)

    assert served(limit, (1000 + i / 100 for i in range(1000))) in range(200, 203)


def test_no_limit_serves_all() -> None:
    """Before a rate is set, and once it is taken away, all of 10 at once are served; in between only one."""
    limit = RateLimit()
    at_once = [10_000.0] * 10

    assert served(limit, at_once) == 10
    limit.set_rate(0.001)
    assert served(limit, at_once) == 1
    limit.set_rate(None)
    assert served(limit, at_once) == 10


def test_report_covers_a_year_until_today() -> None:
    """Without days a report covers a year; with one, the other follows; the wrong way round is refused."""
    assert period_until_today(None, date(2026, 3, 1)) == Period(date(2025, 3, 1), date(2026, 3, 1))
    assert period_until_today(date(2000, 1, 1), None).last_day >= date(2026, 1, 1)
    with pytest.raises(InvalidInputError, match="must not come after"):
        period_until_today(date(2026, 3, 2), date(2026, 3, 1))


def test_queries_are_split_at_their_names() -> None:
    """Each name gets the text up to the next name; what stands before the first is dropped."""
    assert parse_queries("-- heading\n-- name: one\nSELECT 1\n\n-- name: two\n-- why\nSELECT 2\n") == {
        "one": b"SELECT 1",
        "two": b"-- why\nSELECT 2",
    }


def test_equal_query_names_are_refused() -> None:
    """A name that occurs twice would hide a query."""
    with pytest.raises(ValueError, match="got twice: one"):
        parse_queries("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n")
