"""How much seed data there is."""

from dataclasses import dataclass


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
