"""What the SQL journeys share: a database of the run's own, its data, and what is proven of them.

The names of its files begin with _, so that Locust takes none of them for a locustfile.
"""

from locustfiles.database._data import AMOUNTS, BALANCE, ITEMS, SIZE_VARIABLE, SIZES, chosen_size, fill
from locustfiles.database._database import (
    DatabaseUser,
    database,
    proven,
    server_url,
    sessions_left,
    value_of,
)
from locustfiles.database._pooled import PooledUser

__all__ = [
    "AMOUNTS",
    "BALANCE",
    "ITEMS",
    "SIZES",
    "SIZE_VARIABLE",
    "DatabaseUser",
    "PooledUser",
    "chosen_size",
    "database",
    "fill",
    "proven",
    "server_url",
    "sessions_left",
    "value_of",
]
