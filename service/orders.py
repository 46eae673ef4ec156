"""The shop: products, orders and their states, figures for admins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.database import Database, Session
from service.errors import ConflictError, ConstraintError, ForbiddenError, NotFoundError
from service.tokens import Account

STATE_BEFORE = {"confirmed": "pending", "shipped": "confirmed", "delivered": "shipped"}
"""The only way to each state."""


class Orders:
    """Products for everybody, orders for their owner and for admins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_products(self, limit: int, offset: int) -> bytes:
        """Return *limit* products in stock from the *offset*-th on, as JSON."""
        products = await self._database.fetch_json("list_products", {"limit": limit, "offset": offset})
        assert products is not None
        return products

    async def get_product(self, product_id: int) -> bytes:
        """Return a product as JSON."""
        product = await self._database.fetch_json("get_product", {"product_id": product_id})
        if product is None:
            raise NotFoundError("there is no such product", {"productId": product_id})
        return product

    async def create(self, account: Account) -> bytes:
        """Create an empty pending order and return it as JSON."""
        order = await self._database.fetch_json("create_order", {"user_id": account.user_id})
        assert order is not None
        return order

    async def get(self, account: Account, order_id: int) -> bytes:
        """Return an order with its items as JSON."""
        row = await self._database.fetch_row("get_order_owner", {"order_id": order_id})
        _check_owner(account, order_id, row[0] if row else None)
        order = await self._database.fetch_json("get_order", {"order_id": order_id})
        assert order is not None
        return order

    async def add_item(self, account: Account, order_id: int, product_id: int, quantity: int) -> bytes:
        """Add pieces of a product to a pending order and return the order as JSON.

        Raises:
            NotFoundError: no such product.
            ConflictError: the order is not pending any more.
        """
        async with self._locked(account, order_id) as (session, status, _):
            if status != "pending":
                raise ConflictError("items can be added to a pending order only", {"status": status})
            parameters = {"order_id": order_id, "product_id": product_id, "quantity": quantity}
            order = await session.fetch_json("add_item", parameters)
            if order is None:
                raise NotFoundError("there is no such product", {"productId": product_id})
        return order

    async def confirm(self, account: Account, order_id: int, payment_method: str) -> bytes:
        """Take the items from stock, confirm the order and return it as JSON.

        Raises:
            ConflictError: the order is not pending, is empty, or wants more than there is.
        """
        async with self._locked(account, order_id) as (session, status, total):
            _check_move(status, "confirmed")
            if total <= 0:
                raise ConflictError("the order is empty: its total must be over 0", {"total": total})
            try:
                await session.execute("take_stock", {"order_id": order_id})
            except ConstraintError as error:
                raise ConflictError("there is not enough stock for this order") from error
            return await _move(session, order_id, "confirmed", payment_method)

    async def advance(self, account: Account, order_id: int, status: str) -> bytes:
        """Move the order on to *status*, "shipped" or "delivered", and return it as JSON.

        Raises:
            ConflictError: the order is not in the state before.
        """
        async with self._locked(account, order_id) as (session, present, _):
            _check_move(present, status)
            return await _move(session, order_id, status, None)

    async def get_admin_dashboard(self) -> bytes:
        """Return counts and revenue as JSON."""
        return await self._figures("get_admin_dashboard")

    async def get_admin_analytics(self) -> bytes:
        """Return orders by day and the most sold products as JSON."""
        return await self._figures("get_admin_analytics")

    async def _figures(self, query: str) -> bytes:
        figures = await self._database.fetch_json(query)
        assert figures is not None
        return figures

    @asynccontextmanager
    async def _locked(self, account: Account, order_id: int) -> AsyncIterator[tuple[Session, str, float]]:
        """Keep others from changing the order for the length of the block; give its status and total."""
        async with self._database.transaction() as session:
            row = await session.fetch_row("lock_order", {"order_id": order_id})
            user_id, status, total = row or (None, "", 0)
            _check_owner(account, order_id, user_id)
            yield session, status, float(total)


def _check_owner(account: Account, order_id: int, user_id: int | None) -> None:
    if user_id is None:
        raise NotFoundError("there is no such order", {"orderId": order_id})
    if account.role != "admin" and account.user_id != user_id:
        raise ForbiddenError("this order belongs to somebody else")


def _check_move(present: str, wanted: str) -> None:
    if present != STATE_BEFORE[wanted]:
        detail = {"status": present, "needed": STATE_BEFORE[wanted]}
        raise ConflictError(f"an order that is {present} cannot become {wanted}", detail)


async def _move(session: Session, order_id: int, status: str, payment_method: str | None) -> bytes:
    parameters = {"order_id": order_id, "status": status, "payment_method": payment_method}
    order = await session.fetch_json("move_order", parameters)
    assert order is not None
    return order
