"""The route of GraphQL."""

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from service.routing import CurrentAccount, errors, json_answer, services

router = APIRouter()


class GraphqlQuery(BaseModel):
    """A GraphQL document with its variables."""

    query: str = Field(min_length=1, max_length=20_000)
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815 - the name on the wire


@router.post("/graphql", tags=["graphql"], summary="Query with GraphQL", responses=errors(400, 401, 422))
async def query(request: Request, account: CurrentAccount, body: GraphqlQuery) -> Response:
    """Answer 200 with `data`, what went wrong as `errors`, and `complexity` in `extensions`."""
    return json_answer(
        json.dumps(await services(request).graphql.answer(account, body.model_dump())).encode()
    )
