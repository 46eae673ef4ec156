"""Faults of the recording itself: each is logged once, the run goes on and cannot pass."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger("plimsoll")


class Faults:
    """Counts the steps of a recording that failed."""

    def __init__(self) -> None:
        self.count = 0
        self.first: str | None = None
        """The first of them, with the file that could not be written."""

    def tolerate(self, file: str, step: Callable[[], object]) -> None:
        """Run a step that writes to a file, and that the load must not suffer from."""
        try:
            step()
        except Exception as error:
            self.count += 1
            if self.first is None:
                is_ours = not isinstance(error, OSError)
                self.first = f"{file}: {getattr(error, 'strerror', None) or repr(error)}"
                # A full disk needs no traceback.
                logger.warning(
                    "the run is not fully recorded and cannot pass: %s", self.first, exc_info=is_ours
                )
