"""Faults of the recording itself: they end nothing, are told once, and keep the run from passing."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger("plimsoll")


class Faults:
    """Counts the steps of a recording that failed."""

    def __init__(self) -> None:
        self.count = 0

    def tolerate(self, step: Callable[[], object]) -> None:
        """Run a step that the load must not suffer from."""
        try:
            step()
        except Exception as error:
            self.count += 1
            if self.count == 1:
                # A full disk needs no traceback.
                is_ours = not isinstance(error, OSError)
                logger.warning("the run is not fully recorded and cannot pass: %r", error, exc_info=is_ours)
