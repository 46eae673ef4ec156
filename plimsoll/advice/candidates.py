"""Which indexes are worth a try for a statement, and which of those tried is advised."""

from collections.abc import Sequence

from plimsoll.advice.catalogue import Catalogue
from plimsoll.advice.sql import Column, Statement
from plimsoll.run_files.advice import Gain

MAX_CANDIDATES = 5
PAIR_MAX_RATIO = 0.5
"""A second column is worth its size where it halves the blocks once more."""


def candidates(statement: Statement, table: str, catalogue: Catalogue) -> list[tuple[str, ...]]:
    """Return the columns of indexes on a table that are worth a try, at most two each.

    Those compared for equality come first, the most selective before the others, then those of joins, of
    ranges, and of the order. What an index begins with already is left out.
    """
    distinct, indexed = catalogue.tables[table].distinct, catalogue.leading_columns(table)

    def own(columns: Sequence[Column]) -> list[str]:
        return [name for owner, name in catalogue.owned(columns, statement) if owner == table]

    equal = sorted(own(statement.equal), key=lambda name: -distinct.get(name, 0))
    joined, ranged, ordered = own(statement.joined), own(statement.ranged), own(statement.sorted_by)
    firsts = list(dict.fromkeys([*equal, *joined, *ranged, *ordered]))
    singles = [(name,) for name in firsts if name not in indexed]
    pairs = [
        (first, second)
        for first in [*equal, *joined]
        for second in [*equal, *ranged, *ordered]
        if first != second and not catalogue.has_index(table, (first, second))
    ]
    alike: dict[frozenset[str], tuple[str, ...]] = {}
    for pair in pairs:  # of two equal columns the order matters little: the more selective one is first
        alike.setdefault(frozenset(pair), pair)
    return [*singles[: MAX_CANDIDATES - 2], *[*alike.values()][:2]]


def best_of(tried: Sequence[tuple[tuple[str, ...], Gain]]) -> tuple[tuple[str, ...], Gain] | None:
    """Return the index to advise: the one column that touches fewest blocks, or a pair that halves them."""
    shown = [each for each in tried if each[1].is_shown]
    singles = [each for each in shown if len(each[0]) == 1]
    best = min(singles, key=lambda each: each[1].after_blocks, default=None)
    for each in shown:
        if len(each[0]) == 2 and (
            best is None or each[1].after_blocks <= PAIR_MAX_RATIO * best[1].after_blocks
        ):
            best = each
    return best
