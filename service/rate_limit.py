"""A limit on how many requests a second are served; off until one is set."""

from service.errors import TooManyRequestsError

BURST_S = 0.1
"""What was not used in this time may be used at once; at least one request."""


class RateLimit:
    """A token bucket: it fills at the rate, and every request takes one out."""

    def __init__(self) -> None:
        self._rate_per_s: float | None = None
        self._tokens = 0.0
        self._filled_at_s = 0.0

    def set_rate(self, rate_per_s: float | None) -> None:
        """Serve at most *rate_per_s* requests a second from now on, any number with None."""
        self._rate_per_s = rate_per_s
        self._tokens = 0.0

    def take(self, now_s: float) -> None:
        """Take a request at *now_s*, seconds of a clock that never goes back.

        Raises:
            TooManyRequestsError: it is over the rate.
        """
        if self._rate_per_s is None:
            return
        capacity = max(1.0, self._rate_per_s * BURST_S)
        filled = self._tokens + (now_s - self._filled_at_s) * self._rate_per_s
        self._tokens, self._filled_at_s = min(capacity, filled), now_s
        if self._tokens < 1:
            raise TooManyRequestsError(
                f"at most {self._rate_per_s:g} of these requests a second are served",
                {"requestsPerS": self._rate_per_s},
            )
        self._tokens -= 1
