"""Seed data: deterministic but for times, which count back from now, and written with COPY."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from service.passwords import hash_password
from service.seed_community import comments, posts
from service.seed_size import SeedSize
from service.seed_text import (
    CAREER_LEVELS,
    CHOICES,
    LESSONS,
    OCCUPATIONS,
    PRODUCT_CATEGORIES,
    QUESTIONS_PER_OCCUPATION,
)

PASSWORD = "plimsoll"  # noqa: S105 - published on purpose: journeys log in with it
WITH_SEQUENCES = (
    "users",
    "schools",
    "students",
    "careers",
    "selections",
    "products",
    "orders",
    "posts",
    "comments",
)
ADMINS = 20
SCHOOLS = 10
# Ages in days of each student's past selections: two inside the last five days, two outside.
SELECTION_AGES_DAYS = (30, 12, 4, 1)
# The first student looks back on many more, all of them older: what the volume journey pages through.
VETERAN_ID, VETERAN_SELECTIONS, VETERAN_SINCE_DAYS = 1, 1_200, 700
# No load of this suite sells a product out; the confirm query still takes every piece from it.
STOCK = 1_000_000_000

Row = tuple[object, ...]


def seed(connection: Connection[Row], size: SeedSize) -> None:
    """Fill the empty schema on the connection's search path."""
    # One hash for all seeded users: hashing each would take ten minutes of CPU time at 100,000.
    password_hash = hash_password(PASSWORD)
    titles = [(field, title) for field, titles in OCCUPATIONS.items() for title in titles]
    careers = len(titles) * CAREER_LEVELS
    _copy(connection, "users", "id email password_hash role name", _users(size, password_hash))
    _copy(connection, "schools", "id name", ((i, f"School {i}") for i in _ids(SCHOOLS)))
    _copy(
        connection, "students", "id user_id school_id", ((i, i, i % SCHOOLS + 1) for i in _ids(size.students))
    )
    _copy(connection, "guardians", "user_id student_id", _guardians(size))
    _copy(connection, "occupations", "id field title", ((i, *row) for i, row in enumerate(titles, 1)))
    _copy(connection, "lessons", "occupation_id phase position title body", _lessons(titles))
    _copy(connection, "questions", "id occupation_id prompt choices answer", _questions(titles))
    _copy(connection, "careers", "id occupation_id level", _careers(len(titles)))
    _copy(connection, "selections", "id student_id career_id chosen_at", _selections(size.students, careers))
    _copy(connection, "products", "id name category price stock", _products(size.products))
    _copy(connection, "orders", "id user_id status total payment_method created_at", _orders(size))
    _copy(connection, "order_items", "order_id product_id quantity unit_price", _order_items(size))
    _copy(connection, "posts", "id author_id title body created_at", posts(size))
    _copy(connection, "comments", "id post_id author_id parent_id body created_at", comments(size))
    _finish(connection)


def _copy(connection: Connection[Row], table: str, columns: str, rows: Iterable[Row]) -> None:
    statement = SQL("COPY {} ({}) FROM STDIN").format(
        Identifier(table), SQL(", ").join(map(Identifier, columns.split()))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in _batches(rows):
            # No value holds a tab, a line end or a backslash, but for null (\N): COPY needs no escapes.
            copy.write("".join("\t".join(map(str, row)) + "\n" for row in batch))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows by a thousand: one write each would take longer than PostgreSQL does."""
    remaining = iter(rows)
    while batch := list(islice(remaining, 1000)):
        yield batch


def _finish(connection: Connection[Row]) -> None:
    """Derive latest_choices and move the id sequences past the copied rows."""
    connection.execute(
        "INSERT INTO latest_choices "
        "SELECT student_id, career_id, max(chosen_at) FROM selections GROUP BY 1, 2"
    )
    for table in WITH_SEQUENCES:
        connection.execute(
            SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}").format(
                table, Identifier(table)
            )
        )


def _ids(number: int) -> range:
    return range(1, number + 1)


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def _users(size: SeedSize, password_hash: str) -> Iterator[Row]:
    user_ids = count(1)
    for role, number in (("student", size.students), ("admin", ADMINS), ("parent", size.parents)):
        for i in _ids(number):
            yield next(user_ids), f"{role}-{i:06}@plimsoll.test", password_hash, role, f"{role.title()} {i}"


def _guardians(size: SeedSize) -> Iterator[Row]:
    """Parent 1 has students 1 and 2, parent 2 has 3 and 4, and so on."""
    first_parent = size.students + ADMINS + 1
    for student_id in _ids(size.students):
        yield first_parent + (student_id - 1) // 2, student_id


def _lessons(titles: list[tuple[str, str]]) -> Iterator[Row]:
    for occupation_id, (_, title) in enumerate(titles, 1):
        for phase, headings in LESSONS.items():
            for position, heading in enumerate(headings, 1):
                text = heading.format(title=title)
                yield (
                    occupation_id,
                    phase,
                    position,
                    text,
                    f"{text}: read this slowly, then tell somebody. " * 8,
                )


def _questions(titles: list[tuple[str, str]]) -> Iterator[Row]:
    question_ids = count(1)
    for occupation_id, (_, title) in enumerate(titles, 1):
        for number in _ids(QUESTIONS_PER_OCCUPATION):
            answer = CHOICES[(occupation_id + number) % len(CHOICES)]
            prompt = f"Question {number}: which way does the {title} turn?"
            yield next(question_ids), occupation_id, prompt, f"{{{','.join(CHOICES)}}}", answer


def _careers(occupations: int) -> Iterator[Row]:
    career_ids = count(1)
    for level in _ids(CAREER_LEVELS):
        for occupation_id in _ids(occupations):
            yield next(career_ids), occupation_id, level


def _selections(students: int, careers: int) -> Iterator[Row]:
    selection_ids = count(1)
    for i in _ids(VETERAN_SELECTIONS):
        age_days = VETERAN_SINCE_DAYS - i // 2
        yield next(selection_ids), VETERAN_ID, i % careers + 1, _days_ago(age_days)
    for age_days in SELECTION_AGES_DAYS:
        chosen_at = _days_ago(age_days)
        for student_id in _ids(students):
            career_id = (student_id * 7 + age_days) % careers + 1
            yield next(selection_ids), student_id, career_id, chosen_at


def _price(product_id: int) -> str:
    return f"{5 + product_id * 37 % 95}.{product_id % 100:02}"


def _products(products: int) -> Iterator[Row]:
    for i in _ids(products):
        category = PRODUCT_CATEGORIES[i % len(PRODUCT_CATEGORIES)]
        yield i, f"Product {i} ({category})", category, _price(i), STOCK


def _orders(size: SeedSize) -> Iterator[Row]:
    """Delivered orders of one piece of one product each, spread over the last 30 days."""
    for i in _ids(size.orders):
        user_id, product_id = i % size.students + 1, i % size.products + 1
        yield (
            i,
            user_id,
            "delivered",
            _price(product_id),
            "credit_card",
            _days_ago(30 - i * 30 // size.orders),
        )


def _order_items(size: SeedSize) -> Iterator[Row]:
    for i in _ids(size.orders):
        product_id = i % size.products + 1
        yield i, product_id, 1, _price(product_id)
