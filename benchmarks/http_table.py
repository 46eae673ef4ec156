"""Tables in Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: its first column is text, the others are figures."""
    for cells in (head, ["---", *["---:"] * (len(head) - 1)], *rows):
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.write("\n")
    sys.stdout.flush()
