"""How much seed data there is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SeedSize:
    """Counts of seeded rows."""

    students: int
    products: int
    orders: int


SIZES = {
    "small": SeedSize(students=1_000, products=200, orders=1_000),
    "medium": SeedSize(students=10_000, products=1_000, orders=10_000),
    "large": SeedSize(students=100_000, products=10_000, orders=100_000),
}
