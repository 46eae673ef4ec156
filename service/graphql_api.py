"""GraphQL: which function answers which field of schema.graphql, how a request runs, and the route.

A request is parsed, validated, priced, and executed; every fault is reported in `errors`.
"""

import json
import logging
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

from aiodataloader import DataLoader
from ariadne import ObjectType, QueryType, graphql, make_executable_schema
from fastapi import APIRouter, Request, Response
from graphql import DocumentNode, GraphQLError, GraphQLResolveInfo, parse
from pydantic import BaseModel, Field

from service.authentication import Account, CurrentAccount
from service.careers import Careers
from service.database import Database, Parameters
from service.errors import ApiError
from service.graphql_cost import measure_cost
from service.routing import errors, json_answer, resolve

REMEMBERED_QUERIES = 256
MAX_TOKENS = 1000
"""Validation compares the fields of a selection with one another: 10,000 take seconds."""
UNREADABLE_NUMBER = re.compile(rf"\d{{{sys.int_info.default_max_str_digits}}}")
# Ariadne would log every mistake of a client with a traceback; faults of the service are logged below.
MUTED = logging.getLogger(f"{__name__}.muted")
MUTED.setLevel(logging.CRITICAL)
SCHEMA_FILE = Path(__file__).parent / "schema.graphql"
BIGINT_DIGITS = 18

queries = QueryType()
dashboard = ObjectType("StudentDashboard")
exploration = ObjectType("CareerExploration")
user = ObjectType("User")
post = ObjectType("Post")
comment = ObjectType("Comment")

router = APIRouter()

Key: TypeAlias = tuple[int, int]
"""The id of the parent of some rows, and how many of them."""


class GraphqlRequest:
    """One request: resolvers that ask for the same kind of thing at the same time share one query."""

    def __init__(self, database: Database, careers: Careers, account: Account) -> None:
        self._database = database
        self.careers = careers
        self.account = account
        self.cost = 0
        self.users = DataLoader(partial(self.load, "load_users"))
        self.posts = DataLoader(partial(self.load, "load_posts"))
        self.comments = DataLoader(partial(self.load, "load_comments"))

    async def fetch(self, query: str, parameters: Parameters) -> Any:
        """Run a query that answers JSON and parse it; None when it has no row."""
        found = await self._database.fetch_json(query, parameters)
        return None if found is None else json.loads(found)

    async def load(self, query: str, keys: list[Key]) -> list[Any]:
        """Return the rows of each key, all in one query."""
        ids, firsts = zip(*keys, strict=True)
        found: list[Any] = await self.fetch(query, {"ids": [*ids], "firsts": [*firsts]})
        return found


Resolver: TypeAlias = Callable[..., Awaitable[Any]]
Info: TypeAlias = GraphQLResolveInfo[GraphqlRequest]


def parse_id(text: str) -> int:
    """Return the number of an ID.

    Raises:
        GraphQLError: it is not a number of at most BIGINT_DIGITS digits.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= BIGINT_DIGITS):
        raise GraphQLError(f"an ID must be a whole number of at most {BIGINT_DIGITS} digits, got {text!r}")
    return int(text)


def fetched_by(name: str) -> Resolver:
    """Make a resolver that runs a named query with the values of its parent and its arguments."""

    async def fetch(parent: dict[str, Any] | None, info: Info, **arguments: object) -> Any:
        return await info.context.fetch(name, {**(parent or {}), **arguments})

    return fetch


queries.set_field("users", fetched_by("list_users"))
queries.set_field("analytics", fetched_by("get_analytics"))
dashboard.set_field("profile", fetched_by("get_student_profile"))
dashboard.set_field("currentCareer", fetched_by("get_current_career"))
dashboard.set_field("recentSessions", fetched_by("list_recent_sessions"))
dashboard.set_field("metrics", fetched_by("get_metrics"))
dashboard.set_field("upcoming", fetched_by("list_upcoming_careers"))
exploration.set_field("careers", fetched_by("list_careers"))
exploration.set_field("trending", fetched_by("list_trending_careers"))
exploration.set_field("fields", fetched_by("list_fields"))


@queries.field("studentDashboard")
async def find_student(
    _: None,
    info: Info,
    studentId: str | None = None,  # noqa: N803 - the name on the wire
) -> dict[str, int]:
    """Return the student, whom the account must be allowed to see."""
    asked = None if studentId is None else parse_id(studentId)
    return {"student_id": await info.context.careers.find_student(info.context.account, asked)}


@queries.field("careerExploration")
def explore(_: None, _info: Info, field: str | None = None) -> dict[str, str | None]:
    """Return the field that the careers must be of."""
    return {"field": field}


@queries.field("user")
async def load_user(_: None, info: Info, id: str) -> Any:  # noqa: A002 - the name on the wire
    """Return a user, or null for an unknown id."""
    return await info.context.users.load((parse_id(id), 1))


@user.field("posts")
async def load_posts(parent: dict[str, Any], info: Info, first: int, batched: bool) -> Any:
    """Return a user's newest posts, by a query shared with other users or by one of its own."""
    key = (parent["id"], first)
    return (
        await info.context.posts.load(key) if batched else (await info.context.load("load_posts", [key]))[0]
    )


@post.field("comments")
async def load_comments(parent: dict[str, Any], info: Info, first: int) -> Any:
    """Return the first comments on a post."""
    return await info.context.comments.load((parent["id"], first))


@comment.field("author")
async def load_author(parent: dict[str, Any], info: Info) -> Any:
    """Return who wrote a comment."""
    return await info.context.users.load((parent["authorId"], 1))


class Graphql:
    """Answers GraphQL requests of known accounts."""

    def __init__(self, database: Database, careers: Careers) -> None:
        self._database = database
        self._careers = careers
        self._schema = make_executable_schema(
            SCHEMA_FILE.read_text("utf-8"), queries, dashboard, exploration, user, post, comment
        )

    async def answer(self, account: Account, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return `data`, `errors` when there are some, and `complexity` in points in `extensions`."""
        context = GraphqlRequest(self._database, self._careers, account)
        _, answer = await graphql(
            self._schema,
            {**request},
            context_value=context,
            root_value=self._measure_cost,
            query_parser=lambda _, request: _parse(request["query"]),
            error_formatter=_format_error,
            logger=MUTED,
        )
        return {**answer, "extensions": {"complexity": context.cost}}

    def _measure_cost(
        self,
        context: GraphqlRequest,
        operation_name: str | None,
        variables: dict[str, Any] | None,
        document: DocumentNode,
    ) -> None:
        """Note the cost of a valid operation; one that costs too much is refused here, before it runs."""
        context.cost = measure_cost(self._schema, document, operation_name, variables or {})


@lru_cache(maxsize=REMEMBERED_QUERIES)
def _parse(text: str) -> DocumentNode:
    if UNREADABLE_NUMBER.search(text):
        raise GraphQLError(f"a number must have less than {sys.int_info.default_max_str_digits} digits")
    return parse(text, max_lexical_tokens=MAX_TOKENS)


def _format_error(error: GraphQLError, _debug: bool = False) -> dict[str, Any]:
    cause = error.original_error
    if cause is None or isinstance(cause, (ApiError, GraphQLError)):
        return {**error.formatted}
    logging.getLogger(__name__).error("a GraphQL field failed", exc_info=cause)
    return {**error.formatted, "message": "the service failed; its log says why"}


class GraphqlQuery(BaseModel):
    """A GraphQL document with its variables."""

    query: str = Field(min_length=1, max_length=20_000)
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815 - the name on the wire


@router.post("/graphql", tags=["graphql"], summary="Query with GraphQL", responses=errors(400, 401, 422))
async def query(request: Request, account: CurrentAccount, body: GraphqlQuery) -> Response:
    """Answer 200 with `data`, what went wrong as `errors`, and `complexity` in `extensions`."""
    return json_answer(
        json.dumps(await resolve(request, Graphql).answer(account, body.model_dump())).encode()
    )
