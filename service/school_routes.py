"""Routes of schools: enrolment and removal, and reports as jobs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.account_routes import Email
from service.reports import period_until_today
from service.routing import AdminAccount, BodyId, CurrentAccount, Day, Id, errors, json_answer, services

router = APIRouter(prefix="/api/v1", tags=["schools"])

# So long that no slip of a hand removes everybody.
Prefix = Annotated[str, Query(min_length=8, max_length=254)]


class NewStudent(BaseModel):
    """Somebody to enrol."""

    email: Email
    name: str = Field(min_length=1, max_length=200)


class Enrollment(BaseModel):
    """A list of students for one school."""

    schoolId: BodyId  # noqa: N815 - the name on the wire
    students: list[NewStudent] = Field(min_length=1, max_length=500)
    password: str | None = Field(default=None, min_length=8, max_length=128)


class ReportOrder(BaseModel):
    """Whom and what time a report is to cover; the last year when no days are given."""

    studentIds: list[BodyId] = Field(min_length=1, max_length=1000)  # noqa: N815 - the name on the wire
    firstDay: Day | None = None  # noqa: N815 - the name on the wire
    lastDay: Day | None = None  # noqa: N815 - the name on the wire


@router.post(
    "/schools/bulk-enroll", summary="Enrol many students at once", responses=errors(400, 401, 403, 404, 422)
)
async def bulk_enroll(request: Request, account: AdminAccount, enrollment: Enrollment) -> Response:  # noqa: ARG001 - for its 403
    """Answer `created`, the new `students`, and the addresses that were `taken` and are left as they are."""
    students = [(student.email, student.name) for student in enrollment.students]
    return json_answer(
        await services(request).schools.enroll(enrollment.schoolId, students, enrollment.password)
    )


@router.delete("/schools/{school_id}/students", summary="Remove students", responses=errors(401, 403, 422))
async def remove_students(request: Request, account: AdminAccount, school_id: Id, prefix: Prefix) -> Response:  # noqa: ARG001 - for its 403
    """Remove those whose addresses begin with `prefix`, with all that is theirs; answer how many `removed`.

    These are at most 1,000 at once.
    """
    return json_answer(await services(request).schools.remove(school_id, prefix))


@router.post(
    "/reports/generate",
    summary="Order a report on many students",
    status_code=202,
    responses=errors(400, 401, 403, 422),
)
async def generate_report(request: Request, account: AdminAccount, order: ReportOrder) -> Response:
    """Answer 202 with the `jobId` to ask for; a report on students that do not exist fails there."""
    period = period_until_today(order.firstDay, order.lastDay)
    return json_answer(await services(request).report_jobs.add(account, period.of(order.studentIds)), 202)


@router.get("/reports/jobs/{job_id}", summary="How a report is doing", responses=errors(401, 403, 404))
async def get_report_job(request: Request, account: CurrentAccount, job_id: Id) -> Response:
    """Answer `status`: queued, running, done with the report as `result`, or failed with its `error`."""
    return json_answer(await services(request).report_jobs.get(account, job_id))
