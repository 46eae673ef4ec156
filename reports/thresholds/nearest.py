"""Point a mistyped word to the words that exist."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_hint(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'p95'?` for up to three similar words, or an empty text.

    Case is ignored in the comparison.
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)
    if not close:
        return ""
    return f"; did you mean {' or '.join(repr(by_lower[match]) for match in close)}?"
