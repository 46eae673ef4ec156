"""A cached answer that is computed again when it has become too old."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class TtlCache:
    """Keeps the last value of one computation for *ttl_s* seconds; callers meanwhile share it."""

    def __init__(self, compute: Callable[[], Awaitable[bytes]], ttl_s: float) -> None:
        self._compute = compute
        self._ttl_s = ttl_s
        self._value = b""
        self._fresh_until_s = float("-inf")
        self._computing = asyncio.Lock()

    async def get(self) -> tuple[bytes, bool]:
        """Return the value, and whether it was there already."""
        if time.monotonic() < self._fresh_until_s:
            return self._value, True
        async with self._computing:  # one computes, the others wait for it
            if time.monotonic() < self._fresh_until_s:
                return self._value, True
            self._value = await self._compute()
            self._fresh_until_s = time.monotonic() + self._ttl_s
            return self._value, False
