"""The shop's second mix: browse and buy (60 %), look at the admin's figures (20 %), check the health (20 %).

A right answer is what it is in `orders.py`, under the same request names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.orders import BROWSE, ORDER, ShopVisitor
from plimsoll import Step, record_run

record_run()


class StorefrontUser(ShopVisitor):
    """Browse and buy, look at the figures, check the health, in shares 60/20/20."""

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        **ShopVisitor.task_requests,
        "browse_and_buy": (*BROWSE, *ORDER),
    }

    def browse_and_buy(self) -> None:
        """Look at a product, and order one of those that were listed."""
        self.browse()
        self.order()

    tasks = [  # noqa: RUF012 - Locust's name
        *3 * [browse_and_buy],
        ShopVisitor.oversee,
        ShopVisitor.check_health,
    ]
