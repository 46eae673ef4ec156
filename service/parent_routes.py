"""Routes of parents."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from service.errors import ForbiddenError
from service.reports import period_until_today
from service.routing import BodyId, CurrentAccount, Day, errors, json_answer, services
from service.tokens import Account

router = APIRouter(prefix="/api/v1/parents", tags=["parents"])


def _require_parent(account: CurrentAccount) -> Account:
    if account.role != "parent":
        raise ForbiddenError("only parents may see this", {"role": account.role})
    return account


ParentAccount = Annotated[Account, Depends(_require_parent)]


class ChildReportOrder(BaseModel):
    """Which child and what time a report is to cover; the last year when no days are given."""

    studentId: BodyId  # noqa: N815 - the name on the wire
    firstDay: Day | None = None  # noqa: N815 - the name on the wire
    lastDay: Day | None = None  # noqa: N815 - the name on the wire


@router.get("/dashboard", summary="One's children", responses=errors(401, 403))
async def get_dashboard(request: Request, account: ParentAccount) -> Response:
    """Answer `children`: each with recent sessions and its share of right answers."""
    return json_answer(await services(request).parents.get_dashboard(account))


@router.post("/reports", summary="A report on one's child", responses=errors(400, 401, 403, 422))
async def generate_report(request: Request, account: ParentAccount, order: ChildReportOrder) -> Response:
    """Answer what the child chose and answered, by month."""
    period = period_until_today(order.firstDay, order.lastDay)
    return json_answer(await services(request).parents.generate_report(account, order.studentId, period))
