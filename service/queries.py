"""The named queries of the sql folder."""

import re
from pathlib import Path

SQL_FOLDER = Path(__file__).parent / "sql"
QUERY_FILES = (
    "accounts.sql",
    "careers.sql",
    "graphql.sql",
    "jobs.sql",
    "orders.sql",
    "parents.sql",
    "reports.sql",
    "volume.sql",
)


def parse_queries(text: str) -> dict[str, bytes]:
    """Split *text* at its `-- name: NAME` lines into query texts by name.

    Raises:
        ValueError: a name occurs twice.
    """
    _, *parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    names = parts[::2]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"query names must be unique, got twice: {', '.join(twice)}")
    return {name: query.strip().encode() for name, query in zip(names, parts[1::2], strict=True)}


SCHEMA = (SQL_FOLDER / "schema.sql").read_bytes()
COMMUNITY_KEYS = (SQL_FOLDER / "community_keys.sql").read_bytes()
QUERIES = parse_queries("\n".join((SQL_FOLDER / name).read_text("utf-8") for name in QUERY_FILES))
