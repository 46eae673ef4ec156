"""The shop: products, orders and their states, figures for admins, and their routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.authentication import Account, AdminAccount, CurrentAccount
from service.database import Database, Session
from service.errors import ConflictError, ConstraintError, ForbiddenError, NotFoundError
from service.routing import BIGINT_MAX, BodyId, Id, errors, json_answer, resolve

router = APIRouter(prefix="/api")

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


class Item(BaseModel):
    """Pieces of one product."""

    productId: BodyId  # noqa: N815 - the name on the wire
    quantity: int = Field(ge=1, le=1000)


class Payment(BaseModel):
    """How a confirmed order is paid."""

    paymentMethod: Literal["credit_card", "debit_card", "invoice"]  # noqa: N815 - the name on the wire


@router.get("/products", tags=["shop"], summary="Browse products", responses=errors(422))
async def list_products(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=BIGINT_MAX)] = 0,
) -> Response:
    """Answer `data`: products in stock, in the order of their ids."""
    return json_answer(await resolve(request, Orders).list_products(limit, offset))


@router.get("/products/{product_id}", tags=["shop"], summary="One product", responses=errors(404, 422))
async def get_product(request: Request, product_id: Id) -> Response:
    """Answer name, category, price and stock."""
    return json_answer(await resolve(request, Orders).get_product(product_id))


@router.post("/orders", tags=["orders"], summary="Create an order", status_code=201, responses=errors(401))
async def create_order(request: Request, account: CurrentAccount) -> Response:
    """Answer the new order: id, status "pending", total 0."""
    return json_answer(await resolve(request, Orders).create(account), 201)


@router.get("/orders/{order_id}", tags=["orders"], summary="One order", responses=errors(401, 403, 404))
async def get_order(request: Request, account: CurrentAccount, order_id: Id) -> Response:
    """Answer the order with its items."""
    return json_answer(await resolve(request, Orders).get(account, order_id))


@router.post(
    "/orders/{order_id}/items",
    tags=["orders"],
    summary="Add pieces of a product",
    responses=errors(400, 401, 403, 404, 409, 422),
)
async def add_item(request: Request, account: CurrentAccount, order_id: Id, item: Item) -> Response:
    """Answer the order with its new total; 409 when it is not pending any more."""
    return json_answer(
        await resolve(request, Orders).add_item(account, order_id, item.productId, item.quantity)
    )


@router.post(
    "/orders/{order_id}/confirm",
    tags=["orders"],
    summary="Confirm a pending order",
    responses=errors(400, 401, 403, 404, 409, 422),
)
async def confirm_order(
    request: Request, account: CurrentAccount, order_id: Id, payment: Payment
) -> Response:
    """Take the items from stock; 409 when the order is not pending, is empty, or wants more than there is."""
    return json_answer(await resolve(request, Orders).confirm(account, order_id, payment.paymentMethod))


@router.post(
    "/orders/{order_id}/ship",
    tags=["orders"],
    summary="Ship a confirmed order",
    responses=errors(401, 403, 404, 409),
)
async def ship_order(request: Request, account: CurrentAccount, order_id: Id) -> Response:
    """Answer the order; 409 when it is not confirmed."""
    return json_answer(await resolve(request, Orders).advance(account, order_id, "shipped"))


@router.post(
    "/orders/{order_id}/deliver",
    tags=["orders"],
    summary="Deliver a shipped order",
    responses=errors(401, 403, 404, 409),
)
async def deliver_order(request: Request, account: CurrentAccount, order_id: Id) -> Response:
    """Answer the order; 409 when it is not shipped."""
    return json_answer(await resolve(request, Orders).advance(account, order_id, "delivered"))


@router.get("/admin/dashboard", tags=["admin"], summary="Counts and revenue", responses=errors(401, 403))
async def get_admin_dashboard(request: Request, account: AdminAccount) -> Response:  # noqa: ARG001 - for its 403
    """Answer users, products, orders by state and revenue."""
    return json_answer(await resolve(request, Orders).get_admin_dashboard())


@router.get(
    "/admin/analytics", tags=["admin"], summary="Sales by day and product", responses=errors(401, 403)
)
async def get_admin_analytics(request: Request, account: AdminAccount) -> Response:  # noqa: ARG001 - for its 403
    """Answer the last 30 days with orders and the ten most sold products."""
    return json_answer(await resolve(request, Orders).get_admin_analytics())
