"""Rows of a feeder that a query to a real database returns."""

import pytest

from plimsoll.data.sources import FeedError, Query


def test_rows_of_a_query(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows come in their order from the database of DATABASE_URL, with values that JSON holds."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    rows = Query("SELECT n, date '2026-02-03' AS day FROM generate_series(1, 4) n ORDER BY n DESC").read()

    assert rows == [{"n": n, "day": "2026-02-03"} for n in (4, 3, 2, 1)]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [("SELECT 1 WHERE false", "there are no rows"), ("SELECT * FROM no_table", "does not exist")],
)
def test_queries_that_have_no_rows(database_url: str, statement: str, fault: str) -> None:
    """What the database says is one line that names the query."""
    with pytest.raises(FeedError, match=fault) as raised:
        Query(statement, database_url).read()

    assert str(raised.value).startswith(f"sql {statement}: ")
    assert "\n" not in str(raised.value)
