"""What parents see of their children: a dashboard and reports, and their routes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from service.authentication import Account, CurrentAccount
from service.database import Database
from service.errors import ForbiddenError, NotFoundError
from service.reports import Period, build_report, period_until_today
from service.routing import BodyId, Day, errors, json_answer, resolve

router = APIRouter(prefix="/api/v1/parents", tags=["parents"])


class Parents:
    """Dashboards and reports for parents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_dashboard(self, account: Account) -> bytes:
        """Return the parent's children with recent sessions and right answers as JSON."""
        dashboard = await self._database.fetch_json("get_parent_dashboard", {"user_id": account.user_id})
        if dashboard is None:
            raise NotFoundError("the token's user does not exist any more")
        return dashboard

    async def generate_report(self, account: Account, student_id: int, period: Period) -> bytes:
        """Return a report on one child over *period* as JSON.

        Raises:
            ForbiddenError: the student is not the parent's child.
        """
        await self.check_child(account, student_id)
        async with self._database.session() as session:
            return await build_report(session, period.of([student_id]))

    async def check_child(self, account: Account, student_id: int) -> None:
        """Raise ForbiddenError unless the student is the account's child."""
        parameters = {"user_id": account.user_id, "student_id": student_id}
        if await self._database.fetch_row("get_guardian", parameters) is None:
            raise ForbiddenError("this student is not the parent's child")


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
    return json_answer(await resolve(request, Parents).get_dashboard(account))


@router.post("/reports", summary="A report on one's child", responses=errors(400, 401, 403, 422))
async def generate_report(request: Request, account: ParentAccount, order: ChildReportOrder) -> Response:
    """Answer what the child chose and answered, by month."""
    period = period_until_today(order.firstDay, order.lastDay)
    return json_answer(await resolve(request, Parents).generate_report(account, order.studentId, period))
