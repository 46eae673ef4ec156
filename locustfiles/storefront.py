"""The shop's second mix: browse and buy (60 %), look at the admin's figures (20 %), check the health (20 %).

A right answer is what it is in `orders.py`, under the same request names.
"""

from __future__ import annotations

from locustfiles.orders import ShopVisitor
from plimsoll import record_run

record_run()


class StorefrontUser(ShopVisitor):
    """Browse and buy, look at the figures, check the health, in shares 60/20/20."""

    def browse_and_buy(self) -> None:
        """Look at a product, and order one of those that were listed."""
        self.browse()
        self.order()

    tasks = [  # noqa: RUF012 - Locust's name
        *3 * [browse_and_buy],
        ShopVisitor.oversee,
        ShopVisitor.check_health,
    ]
