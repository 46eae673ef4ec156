"""What parents see of their children."""

from service.database import Database
from service.errors import ForbiddenError, NotFoundError
from service.reports import Period, build_report
from service.tokens import Account


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
