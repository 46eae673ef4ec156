"""Rows of what students write to each other: posts and comments."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from service.seed_size import SeedSize
from service.seed_text import COMMENT_WORDS, POST_WORDS

DAYS = 365

Row = tuple[object, ...]


def posts(size: SeedSize) -> Iterator[Row]:
    """Yield id, author, title, body and time; every student writes equally many."""
    times = _times()
    for i in range(1, size.posts + 1):
        word, other = POST_WORDS[i % len(POST_WORDS)], POST_WORDS[i * 7 % len(POST_WORDS)]
        body = f"Today I saw a {word} next to a {other}, and I wonder who looks after the {word} at night."
        yield i, (i - 1) % size.students + 1, f"The {word} and the {other}", body, times[i % DAYS]


def comments(size: SeedSize) -> Iterator[Row]:
    """Yield id, post, author, parent, body and time; half of those after a post's first answer another."""
    times = _times()
    for i in range(1, size.comments + 1):
        post_id = (i - 1) % size.posts + 1
        answered = i - size.posts if i > size.posts and i % 2 else r"\N"
        body = f"I think so too, {COMMENT_WORDS[i % len(COMMENT_WORDS)]}!"
        yield i, post_id, i * 7 % size.students + 1, answered, body, times[i % DAYS]


def _times() -> list[str]:
    """Return one time on each day of the last year: formatting one for each row would take longer."""
    now = datetime.now(UTC)
    return [(now - timedelta(days=days)).isoformat() for days in range(DAYS)]
