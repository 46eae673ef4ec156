"""Identities: deterministic, within the roster, and apart between workers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identities import Credentials, Roster


def emails(size: int, worker_index: int, users: int) -> list[str]:
    """Deal so many identities in one process and return their emails."""
    roster = Roster("student", size)
    return [roster.deal(worker_index).email for _ in range(users)]


def test_a_single_process_deals_the_numbers_in_order_and_starts_again() -> None:
    """With one process, the first user is number 1, and after the last number comes the first."""
    assert emails(size=2, worker_index=0, users=3) == [
        "student-000001@plimsoll.test",
        "student-000002@plimsoll.test",
        "student-000001@plimsoll.test",
    ]


@pytest.mark.parametrize(("worker_index", "first"), [(-1, 1), (0, 1), (1, 501), (2, 251), (3, 751), (4, 126)])
def test_workers_start_far_apart(worker_index: int, first: int) -> None:
    """Worker 1 starts at half of 1,000 students, 2 and 3 at the quarters, 4 at an eighth."""
    assert emails(1000, worker_index, 1) == [f"student-{first:06d}@plimsoll.test"]


@given(power=st.integers(0, 5), size=st.integers(64, 5000), data=st.data())
def test_workers_do_not_share_identities_while_there_are_enough(
    power: int, size: int, data: st.DataObject
) -> None:
    """With 2^k workers, identities are all different as long as each has at most its share of the roster."""
    workers = 2**power
    users = data.draw(st.integers(1, size // workers))
    dealt = [email for worker in range(workers) for email in emails(size, worker, users)]
    assert len(set(dealt)) == workers * users


@given(size=st.integers(1, 2000), worker_index=st.integers(-1, 500), users=st.integers(1, 50))
def test_every_number_is_within_the_roster(size: int, worker_index: int, users: int) -> None:
    """Whatever the worker, numbers run from 1 to the size of the roster."""
    numbers = [int(email[len("student-") :][:6]) for email in emails(size, worker_index, users)]
    assert all(1 <= number <= size for number in numbers)


def test_an_empty_roster_is_refused() -> None:
    """A roster without anybody cannot deal identities, and says the size it got."""
    with pytest.raises(ValueError, match="roster 'student': size must be at least 1, got 0"):
        Roster("student", 0)


def test_printed_credentials_hide_the_password() -> None:
    """A password never shows in a log or a traceback."""
    assert "hunter2" not in repr(Credentials("someone@plimsoll.test", "hunter2"))
