"""In which order requests and errors are worth reading."""

from collections.abc import Sequence
from typing import Any

from reports.render.wording import known


def failure_ratio(request: dict[str, Any]) -> float:
    """Return failures / n of one request of verdict.json, 0 where none was made."""
    n = known(request["n"])
    return (known(request["failures"]) or 0.0) / n if n else 0.0


def worst_first(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return requests by share of failures, then by p95, the largest first."""
    return sorted(requests, key=lambda r: (-failure_ratio(r), -(known(r["p95"]) or 0.0)))


def most_frequent(errors: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return errors by number of occurrences, the largest first."""
    return sorted(errors, key=lambda e: -(known(e["occurrences"]) or 0.0))
