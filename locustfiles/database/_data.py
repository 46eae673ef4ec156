"""The data of the SQL journeys: generated, the same each time, in three sizes."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from psycopg import Connection
from psycopg.sql import SQL

SCHEMA = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
SIZE_VARIABLE = "SQL_DATA_SIZE"
ACCOUNTS, BALANCE = 2, 10_000
ITEMS = 10
PENDING_SHARE = 0.5
AMOUNTS = (10.0, 1010.0)


class Size(NamedTuple):
    """How many rows there are of each kind."""

    users: int
    posts: int
    comments: int
    events: int
    orders: int
    customers: int


SIZES = {
    "small": Size(1_000, 5_000, 20_000, 10_000, 100, 10),
    "medium": Size(10_000, 50_000, 200_000, 100_000, 10_000, 1_000),
    "large": Size(100_000, 500_000, 2_000_000, 1_000_000, 100_000, 10_000),
}


def chosen_size() -> tuple[str, Size]:
    """Return the size that SQL_DATA_SIZE names, medium by default.

    Raises ValueError for one that there is not.
    """
    name = os.environ.get(SIZE_VARIABLE) or "medium"
    if name not in SIZES:
        raise ValueError(f"{SIZE_VARIABLE} must be one of {', '.join(SIZES)}, got {name!r}")
    return name, SIZES[name]


def fill(connection: Connection, size: Size) -> None:
    """Create the tables and their rows; the server makes those without chance, COPY brings the others."""
    connection.execute(SCHEMA)
    _fill_community(connection, size)
    with connection.cursor().copy("COPY load.customers (id, name) FROM STDIN") as copy:
        for number in range(1, size.customers + 1):
            copy.write_row((number, f"Customer {number}"))
    with connection.cursor().copy("COPY load.orders (customer_id, status, amount) FROM STDIN") as copy:
        for row in orders(size):
            copy.write_row(row)
    connection.execute(
        SQL("INSERT INTO load.items (id) SELECT generate_series(1, {})").format(ITEMS),
    )
    connection.execute(
        SQL("INSERT INTO load.accounts (id, balance) SELECT n, {} FROM generate_series(1, {}) n").format(
            BALANCE, ACCOUNTS
        )
    )


def orders(size: Size) -> Iterator[tuple[int, str, float]]:
    """Yield customer, status and amount of each order: half are pending, of 10 to 1010."""
    draw = random.Random(1)
    for _ in range(size.orders):
        status = "pending" if draw.random() < PENDING_SHARE else draw.choice(("confirmed", "shipped"))
        yield draw.randint(1, size.customers), status, round(draw.uniform(*AMOUNTS), 2)


def _fill_community(connection: Connection, size: Size) -> None:
    """Create users with a key each, posts in threads, comments, and events; the server draws nothing."""
    for statement, rows in (
        (
            "INSERT INTO load.users (email, name) SELECT 'user' || n || '@load.test', 'User ' || n"
            " FROM generate_series(1, {rows}) n",
            size.users,
        ),
        (
            "INSERT INTO load.api_keys (user_id, key) SELECT n, md5('key' || n)"
            " FROM generate_series(1, {rows}) n",
            size.users,
        ),
        (
            # Each tenth post begins a thread of ten, one below the other.
            "INSERT INTO load.posts (id, user_id, parent_id, title, body, created_at)"
            " SELECT n, n % {users} + 1, CASE WHEN n % 10 = 1 THEN NULL ELSE n - 1 END, 'Post ' || n,"
            " (ARRAY['harbour','lighthouse','tugboat','crane','beacon','anchor','rudder'])[n % 7 + 1]"
            " || ' ' || md5(n::text), timestamptz '2026-01-01' + n * interval '1 minute'"
            " FROM generate_series(1, {rows}) n",
            size.posts,
        ),
        (
            "INSERT INTO load.comments (post_id, user_id, text)"
            " SELECT n % {posts} + 1, n % {users} + 1, 'Comment ' || n FROM generate_series(1, {rows}) n",
            size.comments,
        ),
        (
            "INSERT INTO load.events (id, kind, user_id, at, payload)"
            " SELECT n, (ARRAY['view','click','order','login'])[n % 4 + 1], n % {users} + 1,"
            " timestamptz '2026-01-01' + n * interval '10 seconds',"
            " jsonb_build_object('n', n, 'code', n % 1000)"
            " FROM generate_series(1, {rows}) n",
            size.events,
        ),
    ):
        connection.execute(SQL(statement).format(rows=rows, users=size.users, posts=size.posts))
    connection.execute("INSERT INTO load.events_indexed SELECT * FROM load.events")
    for column in ("kind", "user_id", "at", "((payload->>'code'))"):
        connection.execute(SQL("CREATE INDEX ON load.events_indexed ({})").format(SQL(column)))
    for table in ("users", "posts"):
        connection.execute(
            SQL("SELECT setval(pg_get_serial_sequence('load.{0}', 'id'), max(id)) FROM load.{0}").format(
                SQL(table)
            )
        )
