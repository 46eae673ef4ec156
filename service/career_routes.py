"""Routes of career selection and learning."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.routing import BIGINT_MAX, CurrentAccount, Id, errors, json_answer, services

router = APIRouter(prefix="/api/v1", responses=errors(401, 403, 404))


class Selection(BaseModel):
    """The career a student chooses."""

    careerId: int = Field(ge=1, le=BIGINT_MAX)  # noqa: N815 - the name on the wire


class Answer(BaseModel):
    """An answer to one question."""

    questionId: int = Field(ge=1, le=BIGINT_MAX)  # noqa: N815 - the name on the wire
    answer: str = Field(max_length=1000)


class Interaction(BaseModel):
    """Something a student does in a session; answering is all there is."""

    type: Literal["answer"]
    data: Answer


class Analysis(BaseModel):
    """Whom to analyse: oneself when left out."""

    studentId: int | None = Field(default=None, ge=1, le=BIGINT_MAX)  # noqa: N815 - the name on the wire


@router.get("/students/dashboard", tags=["careers"], summary="One's recent sessions and answers")
async def get_dashboard(request: Request, account: CurrentAccount) -> Response:
    """Answer the last ten sessions and the share of right answers of the student who asks."""
    return json_answer(await services(request).careers.get_dashboard(account))


@router.get("/students/{student_id}/careers/pool", tags=["careers"], summary="Four careers to choose from")
async def draw_pool(request: Request, account: CurrentAccount, student_id: Id) -> Response:
    """Answer `careers`: exactly four, by chance, none chosen in the last five days."""
    return json_answer(await services(request).careers.draw_pool(account, student_id))


@router.post(
    "/students/{student_id}/careers/select",
    tags=["careers"],
    summary="Choose a career and open a session",
    responses=errors(400, 409, 422),
)
async def select(request: Request, account: CurrentAccount, student_id: Id, selection: Selection) -> Response:
    """Answer the new sessionId; 409 when the student chose this career in the last five days."""
    return json_answer(await services(request).careers.select(account, student_id, selection.careerId))


@router.get(
    "/students/{student_id}/career-history",
    tags=["careers"],
    summary="Past selections",
    responses=errors(422),
)
async def get_history(
    request: Request,
    account: CurrentAccount,
    student_id: Id,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=BIGINT_MAX)] = 0,
) -> Response:
    """Answer `selections`, newest first, and `hasMore`."""
    return json_answer(await services(request).careers.get_history(account, student_id, limit, offset))


@router.get("/students/{student_id}/flow-state", tags=["learning"], summary="Share of right answers")
async def get_flow_state(request: Request, account: CurrentAccount, student_id: Id) -> Response:
    """Answer `percentage`, 0 to 100, of right answers among the last 50."""
    return json_answer(await services(request).careers.get_flow_state(account, student_id))


@router.get("/sessions/{session_id}/content", tags=["learning"], summary="What a session teaches")
async def get_content(request: Request, account: CurrentAccount, session_id: Id) -> Response:
    """Answer `learn`, `experience`, `discover` and ten `questions` with their right answers."""
    return json_answer(await services(request).careers.get_content(account, session_id))


@router.post(
    "/sessions/{session_id}/interact",
    tags=["learning"],
    summary="Answer a question",
    responses=errors(400, 422),
)
async def interact(
    request: Request, account: CurrentAccount, session_id: Id, interaction: Interaction
) -> Response:
    """Store the answer and say whether it is right."""
    data = interaction.data
    return json_answer(
        await services(request).careers.answer(account, session_id, data.questionId, data.answer)
    )


@router.get(
    "/careers/trending", tags=["careers"], summary="The ten most chosen careers", responses=errors(429)
)
async def get_trending(request: Request, account: CurrentAccount) -> Response:  # noqa: ARG001 - for its 401
    """Answer them with X-Cache: HIT, or MISS when they had to be counted; 429 above the rate that is set."""
    services(request).trending_limit.take(time.monotonic())
    body, hit = await services(request).trending.get()
    return json_answer(body, headers={"X-Cache": "HIT" if hit else "MISS"})


@router.post(
    "/pathiq/analyze", tags=["learning"], summary="Analyse a student's answers", responses=errors(400, 422)
)
async def analyze(request: Request, account: CurrentAccount, analysis: Analysis | None = None) -> Response:
    """Answer accuracy by field and the field to recommend."""
    student_id = analysis.studentId if analysis else None
    return json_answer(await services(request).careers.analyze(account, student_id))
