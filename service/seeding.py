"""Seed data: deterministic except for times, which count back from now, and written with COPY."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from service.authentication import hash_password

PASSWORD = "plimsoll"  # noqa: S105 - published on purpose: journeys log in with it
WITH_SEQUENCES = [
    "users",
    "schools",
    "students",
    "careers",
    "selections",
    "products",
    "orders",
    "posts",
    "comments",
]
ADMINS = 20
SCHOOLS = 10
# Ages in days of each student's past selections: two inside the last five days, two outside.
SELECTION_AGES_DAYS = (30, 12, 4, 1)
# The first student looks back on many more, all of them older: what the volume journey pages through.
VETERAN_ID, VETERAN_SELECTIONS, VETERAN_SINCE_DAYS = 1, 1_200, 700
# No load of this suite sells a product out; the confirm query still takes every piece from it.
STOCK = 1_000_000_000
COMMUNITY_DAYS = 365
"""Posts and comments are spread over the last year."""
OCCUPATIONS = {
    "science": ("Marine Biologist", "Astronomer", "Chemist", "Geologist", "Botanist"),
    "health": ("Nurse", "Physiotherapist", "Veterinarian", "Dentist", "Paramedic"),
    "engineering": ("Bridge Engineer", "Robotics Engineer", "Ship Builder", "Surveyor", "Electrician"),
    "arts": ("Illustrator", "Composer", "Set Designer", "Photographer", "Potter"),
    "crafts": ("Carpenter", "Baker", "Watchmaker", "Tailor", "Bookbinder"),
    "media": ("Journalist", "Film Editor", "Translator", "Sound Engineer", "Librarian"),
    "nature": ("Forester", "Beekeeper", "Gardener", "Farmer", "Park Ranger"),
    "transport": ("Pilot", "Train Driver", "Harbour Master", "Bus Driver", "Navigator"),
}
LESSONS = {
    "learn": ("What a {title} does", "Words a {title} uses", "A {title}'s tools"),
    "experience": ("A {title}'s morning", "A problem for the {title}", "Working with others"),
    "discover": ("How to become a {title}", "Where a {title} works", "Careers near the {title}"),
}
CHOICES = ("north", "east", "south", "west")
QUESTIONS_PER_OCCUPATION = 10
CAREER_LEVELS = 5
PRODUCT_CATEGORIES = ("books", "kits", "tools", "games", "maps")
POST_WORDS = (
    "lighthouse",
    "tugboat",
    "crane",
    "beehive",
    "workshop",
    "telescope",
    "oven",
    "bridge",
    "printing press",
)
COMMENT_WORDS = ("captain", "colleague", "neighbour", "friend", "everybody", "dear reader", "stranger")

Row = tuple[object, ...]


@dataclass(frozen=True)
class SeedSize:
    """Counts of seeded rows."""

    students: int
    products: int
    orders: int
    posts: int
    comments: int

    @property
    def parents(self) -> int:
        """One parent for every two students."""
        return self.students // 2


SIZES = {
    "small": SeedSize(students=1_000, products=200, orders=1_000, posts=5_000, comments=20_000),
    "medium": SeedSize(students=10_000, products=1_000, orders=10_000, posts=50_000, comments=200_000),
    "large": SeedSize(students=100_000, products=10_000, orders=100_000, posts=500_000, comments=2_000_000),
}


def seed(connection: Connection[Row], size: SeedSize) -> None:
    """Fill the empty schema on the connection's search path."""
    # One hash for all seeded users: hashing each would take ten minutes of CPU time at 100,000.
    password_hash = hash_password(PASSWORD)
    titles = [(field, title) for field, titles in OCCUPATIONS.items() for title in titles]
    careers = [(occupation, level) for level in _ids(CAREER_LEVELS) for occupation in _ids(len(titles))]
    # Parent 1 has students 1 and 2, parent 2 has 3 and 4, and so on.
    parent_1 = size.students + ADMINS + 1
    rows: dict[str, Iterable[Row]] = {
        "users id email password_hash role name": _users(size, password_hash),
        "schools id name": ((i, f"School {i}") for i in _ids(SCHOOLS)),
        "students id user_id school_id": ((i, i, i % SCHOOLS + 1) for i in _ids(size.students)),
        "guardians user_id student_id": ((parent_1 + (i - 1) // 2, i) for i in _ids(size.students)),
        "occupations id field title": ((i, *title) for i, title in enumerate(titles, 1)),
        "lessons occupation_id phase position title body": _lessons(titles),
        "questions id occupation_id prompt choices answer": _questions(titles),
        "careers id occupation_id level": ((i, *career) for i, career in enumerate(careers, 1)),
        "selections id student_id career_id chosen_at": _selections(size.students, len(careers)),
        "products id name category price stock": _products(size.products),
        "orders id user_id status total payment_method created_at": _orders(size),
        "order_items order_id product_id quantity unit_price": (
            (i, product := i % size.products + 1, 1, _price(product)) for i in _ids(size.orders)
        ),
        "posts id author_id title body created_at": posts(size),
        "comments id post_id author_id parent_id body created_at": comments(size),
    }
    for names, table_rows in rows.items():
        table, *columns = names.split()
        _copy(connection, table, columns, table_rows)
    connection.execute(
        "INSERT INTO latest_choices "
        "SELECT student_id, career_id, max(chosen_at) FROM selections GROUP BY 1, 2"
    )
    for table in WITH_SEQUENCES:  # the next id comes after the copied ones
        connection.execute(
            SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}").format(
                table, Identifier(table)
            )
        )


def _copy(connection: Connection[Row], table: str, columns: list[str], rows: Iterable[Row]) -> None:
    statement = SQL("COPY {} ({}) FROM STDIN").format(
        Identifier(table), SQL(", ").join(map(Identifier, columns))
    )
    remaining = iter(rows)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        # A thousand rows a write: one write for each would take longer than PostgreSQL does. No value holds a
        # tab, a line end or a backslash, except for null (\N): COPY needs no escapes.
        while batch := list(islice(remaining, 1000)):
            copy.write("".join("\t".join(map(str, row)) + "\n" for row in batch))


def _ids(number: int) -> range:
    return range(1, number + 1)


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def _users(size: SeedSize, password_hash: str) -> Iterator[Row]:
    user_ids = count(1)
    for role, number in (("student", size.students), ("admin", ADMINS), ("parent", size.parents)):
        for i in _ids(number):
            yield next(user_ids), f"{role}-{i:06}@plimsoll.test", password_hash, role, f"{role.title()} {i}"


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


def posts(size: SeedSize) -> Iterator[Row]:
    """Yield id, author, title, body and time; every student writes equally many."""
    times = _times()
    for i in _ids(size.posts):
        word, other = POST_WORDS[i % len(POST_WORDS)], POST_WORDS[i * 7 % len(POST_WORDS)]
        body = f"Today I saw a {word} next to a {other}, and I wonder who looks after the {word} at night."
        yield i, (i - 1) % size.students + 1, f"The {word} and the {other}", body, times[i % COMMUNITY_DAYS]


def comments(size: SeedSize) -> Iterator[Row]:
    """Yield id, post, author, parent, body and time; half of those after a post's first answer another."""
    times = _times()
    for i in _ids(size.comments):
        post_id = (i - 1) % size.posts + 1
        answered = i - size.posts if i > size.posts and i % 2 else r"\N"
        body = f"I think so too, {COMMENT_WORDS[i % len(COMMENT_WORDS)]}!"
        yield i, post_id, i * 7 % size.students + 1, answered, body, times[i % COMMUNITY_DAYS]


def _times() -> list[str]:
    """Return one time on each day of the last year: formatting one for each row would take longer."""
    now = datetime.now(UTC)
    return [(now - timedelta(days=days)).isoformat() for days in range(COMMUNITY_DAYS)]
