"""Career selection and learning sessions of students, and their routes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.authentication import Account, CurrentAccount
from service.database import Database
from service.errors import ConflictError, ConstraintError, ForbiddenError, NotFoundError
from service.routing import BIGINT_MAX, BodyId, Id, errors, json_answer, resolve

router = APIRouter(prefix="/api/v1", responses=errors(401, 403, 404))


class Careers:
    """Pools of careers, selections, learning sessions and what can be said about a student's answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def draw_pool(self, account: Account, student_id: int) -> bytes:
        """Return four careers by chance as JSON, none chosen in the last five days.

        When fewer than four are left to a student, every occupation gains a level, for all students.
        """
        await self._check_student(account, student_id)
        pool = await self._database.fetch_json("draw_pool", {"student_id": student_id})
        if pool is None:
            async with self._database.session() as session:
                await session.execute("refill_careers")
                pool = await session.fetch_json("draw_pool", {"student_id": student_id})
        assert pool is not None
        return pool

    async def select(self, account: Account, student_id: int, career_id: int) -> bytes:
        """Store a selection, which opens a learning session, and return it as JSON.

        Any career not chosen in the last five days will do: a pool is a proposal and not stored, so that
        several simulated users may share a student.

        Raises:
            NotFoundError: no such career.
            ConflictError: chosen in the last five days.
        """
        await self._check_student(account, student_id)
        parameters = {"student_id": student_id, "career_id": career_id}
        try:
            selection = await self._database.fetch_json("select_career", parameters)
        except ConstraintError as error:
            if error.constraint != "latest_choices_career":
                raise
            raise NotFoundError("there is no such career", {"careerId": career_id}) from error
        if selection is None:
            raise ConflictError(
                "the student chose this career in the last five days", {"careerId": career_id}
            )
        return selection

    async def get_content(self, account: Account, session_id: int) -> bytes:
        """Return what the session teaches, as JSON with learn, experience, discover and questions."""
        await self._check_session(account, session_id)
        content = await self._database.fetch_json("get_content", {"session_id": session_id})
        assert content is not None
        return content

    async def answer(self, account: Account, session_id: int, question_id: int, answer: str) -> bytes:
        """Store an answer and return as JSON whether it is right.

        Raises:
            NotFoundError: the question is not one of the session's.
        """
        await self._check_session(account, session_id)
        parameters = {"session_id": session_id, "question_id": question_id, "answer": answer}
        stored = await self._database.fetch_json("store_answer", parameters)
        if stored is None:
            raise NotFoundError("the session has no such question", {"questionId": question_id})
        return stored

    async def get_flow_state(self, account: Account, student_id: int) -> bytes:
        """Return the share of right answers among the last 50 as JSON, `percentage` in per cent."""
        return await self._about_student("get_flow_state", account, student_id)

    async def analyze(self, account: Account, student_id: int | None) -> bytes:
        """Return accuracy by field and a recommended field as JSON; None stands for the account itself."""
        return await self._about_student("analyze_student", account, student_id or _own_student(account))

    async def find_student(self, account: Account, student_id: int | None) -> int:
        """Return the student that is meant, None standing for the account itself.

        Raises:
            ForbiddenError: it is not the account's to see.
            NotFoundError: there is no such student.
        """
        student_id = _own_student(account) if student_id is None else student_id
        await self._check_student(account, student_id)
        return student_id

    async def get_dashboard(self, account: Account) -> bytes:
        """Return the account's own recent sessions and answers as JSON."""
        return await self._about_student("get_dashboard", account, _own_student(account))

    async def get_history(self, account: Account, student_id: int, limit: int, offset: int) -> bytes:
        """Return *limit* selections from the *offset*-th newest on as JSON, with `hasMore`."""
        await self._check_student(account, student_id)
        parameters = {"student_id": student_id, "limit": limit, "offset": offset}
        history = await self._database.fetch_json("get_career_history", parameters)
        assert history is not None
        return history

    async def _about_student(self, query: str, account: Account, student_id: int) -> bytes:
        await self._check_student(account, student_id)
        answer = await self._database.fetch_json(query, {"student_id": student_id})
        if answer is None:
            raise NotFoundError("there is no such student", {"studentId": student_id})
        return answer

    async def _check_student(self, account: Account, student_id: int) -> None:
        """Let students see themselves only, admins every student that exists."""
        if account.role != "admin":
            _check_owner(account, student_id)
        elif await self._database.fetch_row("get_student", {"student_id": student_id}) is None:
            raise NotFoundError("there is no such student", {"studentId": student_id})

    async def _check_session(self, account: Account, session_id: int) -> None:
        row = await self._database.fetch_row("get_session_owner", {"session_id": session_id})
        if row is None:
            raise NotFoundError("there is no such session", {"sessionId": session_id})
        if account.role != "admin":
            _check_owner(account, row[0])


def _check_owner(account: Account, student_id: int) -> None:
    if account.student_id != student_id:
        raise ForbiddenError("this belongs to another student")


def _own_student(account: Account) -> int:
    if account.student_id is None:
        raise ForbiddenError("only students have this", {"role": account.role})
    return account.student_id


class Selection(BaseModel):
    """The career a student chooses."""

    careerId: BodyId  # noqa: N815 - the name on the wire


class Answer(BaseModel):
    """An answer to one question."""

    questionId: BodyId  # noqa: N815 - the name on the wire
    answer: str = Field(max_length=1000)


class Interaction(BaseModel):
    """Something a student does in a session; answering is all there is."""

    type: Literal["answer"]
    data: Answer


class Analysis(BaseModel):
    """Whom to analyse: oneself when left out."""

    studentId: BodyId | None = None  # noqa: N815 - the name on the wire


@router.get("/students/dashboard", tags=["careers"], summary="One's recent sessions and answers")
async def get_dashboard(request: Request, account: CurrentAccount) -> Response:
    """Answer the last ten sessions and the share of right answers of the student who asks."""
    return json_answer(await resolve(request, Careers).get_dashboard(account))


@router.get("/students/{student_id}/careers/pool", tags=["careers"], summary="Four careers to choose from")
async def draw_pool(request: Request, account: CurrentAccount, student_id: Id) -> Response:
    """Answer `careers`: exactly four, by chance, none chosen in the last five days."""
    return json_answer(await resolve(request, Careers).draw_pool(account, student_id))


@router.post(
    "/students/{student_id}/careers/select",
    tags=["careers"],
    summary="Choose a career and open a session",
    responses=errors(400, 409, 422),
)
async def select(request: Request, account: CurrentAccount, student_id: Id, selection: Selection) -> Response:
    """Answer the new sessionId; 409 when the student chose this career in the last five days."""
    return json_answer(await resolve(request, Careers).select(account, student_id, selection.careerId))


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
    return json_answer(await resolve(request, Careers).get_history(account, student_id, limit, offset))


@router.get("/students/{student_id}/flow-state", tags=["learning"], summary="Share of right answers")
async def get_flow_state(request: Request, account: CurrentAccount, student_id: Id) -> Response:
    """Answer `percentage`, 0 to 100, of right answers among the last 50."""
    return json_answer(await resolve(request, Careers).get_flow_state(account, student_id))


@router.get("/sessions/{session_id}/content", tags=["learning"], summary="What a session teaches")
async def get_content(request: Request, account: CurrentAccount, session_id: Id) -> Response:
    """Answer `learn`, `experience`, `discover` and ten `questions` with their right answers."""
    return json_answer(await resolve(request, Careers).get_content(account, session_id))


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
        await resolve(request, Careers).answer(account, session_id, data.questionId, data.answer)
    )


@router.post(
    "/pathiq/analyze", tags=["learning"], summary="Analyse a student's answers", responses=errors(400, 422)
)
async def analyze(request: Request, account: CurrentAccount, analysis: Analysis | None = None) -> Response:
    """Answer accuracy by field and the field to recommend."""
    student_id = analysis.studentId if analysis else None
    return json_answer(await resolve(request, Careers).analyze(account, student_id))
