"""Routes of the shop."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.routing import BIGINT_MAX, AdminAccount, CurrentAccount, Id, errors, json_answer, services

router = APIRouter(prefix="/api")


class Item(BaseModel):
    """Pieces of one product."""

    productId: int = Field(ge=1, le=BIGINT_MAX)  # noqa: N815 - the name on the wire
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
    return json_answer(await services(request).orders.list_products(limit, offset))


@router.get("/products/{product_id}", tags=["shop"], summary="One product", responses=errors(404, 422))
async def get_product(request: Request, product_id: Id) -> Response:
    """Answer name, category, price and stock."""
    return json_answer(await services(request).orders.get_product(product_id))


@router.post("/orders", tags=["orders"], summary="Create an order", status_code=201, responses=errors(401))
async def create_order(request: Request, account: CurrentAccount) -> Response:
    """Answer the new order: id, status "pending", total 0."""
    return json_answer(await services(request).orders.create(account), 201)


@router.get("/orders/{order_id}", tags=["orders"], summary="One order", responses=errors(401, 403, 404))
async def get_order(request: Request, account: CurrentAccount, order_id: Id) -> Response:
    """Answer the order with its items."""
    return json_answer(await services(request).orders.get(account, order_id))


@router.post(
    "/orders/{order_id}/items",
    tags=["orders"],
    summary="Add pieces of a product",
    responses=errors(400, 401, 403, 404, 409, 422),
)
async def add_item(request: Request, account: CurrentAccount, order_id: Id, item: Item) -> Response:
    """Answer the order with its new total; 409 when it is not pending any more."""
    return json_answer(
        await services(request).orders.add_item(account, order_id, item.productId, item.quantity)
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
    return json_answer(await services(request).orders.confirm(account, order_id, payment.paymentMethod))


@router.post(
    "/orders/{order_id}/ship",
    tags=["orders"],
    summary="Ship a confirmed order",
    responses=errors(401, 403, 404, 409),
)
async def ship_order(request: Request, account: CurrentAccount, order_id: Id) -> Response:
    """Answer the order; 409 when it is not confirmed."""
    return json_answer(await services(request).orders.advance(account, order_id, "shipped"))


@router.post(
    "/orders/{order_id}/deliver",
    tags=["orders"],
    summary="Deliver a shipped order",
    responses=errors(401, 403, 404, 409),
)
async def deliver_order(request: Request, account: CurrentAccount, order_id: Id) -> Response:
    """Answer the order; 409 when it is not shipped."""
    return json_answer(await services(request).orders.advance(account, order_id, "delivered"))


@router.get("/admin/dashboard", tags=["admin"], summary="Counts and revenue", responses=errors(401, 403))
async def get_admin_dashboard(request: Request, account: AdminAccount) -> Response:  # noqa: ARG001 - for its 403
    """Answer users, products, orders by state and revenue."""
    return json_answer(await services(request).orders.get_admin_dashboard())


@router.get(
    "/admin/analytics", tags=["admin"], summary="Sales by day and product", responses=errors(401, 403)
)
async def get_admin_analytics(request: Request, account: AdminAccount) -> Response:  # noqa: ARG001 - for its 403
    """Answer the last 30 days with orders and the ten most sold products."""
    return json_answer(await services(request).orders.get_admin_analytics())
