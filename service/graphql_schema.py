"""Which function answers which field of schema.graphql."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from ariadne import ObjectType, QueryType, make_executable_schema
from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema

from service.graphql_loaders import GraphqlRequest

SCHEMA_FILE = Path(__file__).parent / "schema.graphql"
BIGINT_DIGITS = 18

query = QueryType()
dashboard = ObjectType("StudentDashboard")
exploration = ObjectType("CareerExploration")
user = ObjectType("User")
post = ObjectType("Post")
comment = ObjectType("Comment")

Resolver: TypeAlias = Callable[..., Awaitable[Any]]
Info: TypeAlias = GraphQLResolveInfo[GraphqlRequest]


def make_schema() -> GraphQLSchema:
    """Read the schema file and bind its fields."""
    return make_executable_schema(
        SCHEMA_FILE.read_text("utf-8"), query, dashboard, exploration, user, post, comment
    )


def parse_id(text: str) -> int:
    """Return the number of an ID.

    Raises:
        GraphQLError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= BIGINT_DIGITS):
        raise GraphQLError(f"an ID must be a whole number of at most {BIGINT_DIGITS} digits, got {text!r}")
    return int(text)


def fetched_by(name: str) -> Resolver:
    """Make a resolver that runs a named query with what its parent and its arguments say."""

    async def resolve(parent: dict[str, Any] | None, info: Info, **arguments: object) -> Any:
        return await info.context.fetch(name, {**(parent or {}), **arguments})

    return resolve


query.set_field("users", fetched_by("list_users"))
query.set_field("analytics", fetched_by("get_analytics"))
dashboard.set_field("profile", fetched_by("get_student_profile"))
dashboard.set_field("currentCareer", fetched_by("get_current_career"))
dashboard.set_field("recentSessions", fetched_by("list_recent_sessions"))
dashboard.set_field("metrics", fetched_by("get_metrics"))
dashboard.set_field("upcoming", fetched_by("list_upcoming_careers"))
exploration.set_field("careers", fetched_by("list_careers"))
exploration.set_field("trending", fetched_by("list_trending_careers"))
exploration.set_field("fields", fetched_by("list_fields"))


@query.field("studentDashboard")
async def find_student(
    _: None,
    info: Info,
    studentId: str | None = None,  # noqa: N803 - the name on the wire
) -> dict[str, int]:
    """Say whose dashboard it is, and that the one who asks may see it."""
    asked = None if studentId is None else parse_id(studentId)
    return {"student_id": await info.context.careers.find_student(info.context.account, asked)}


@query.field("careerExploration")
def explore(_: None, _info: Info, field: str | None = None) -> dict[str, str | None]:
    """Say which field the careers are to be of."""
    return {"field": field}


@query.field("user")
async def load_user(_: None, info: Info, id: str) -> Any:  # noqa: A002 - the name on the wire
    """Return a user; none when there is no such one."""
    return await info.context.users.load((parse_id(id), 1))


@user.field("posts")
async def load_posts(parent: dict[str, Any], info: Info, first: int, batched: bool) -> Any:
    """Return a user's newest posts, by a query shared with other users or by one of its own."""
    key = (parent["id"], first)
    return await info.context.posts.load(key) if batched else (await info.context.load_posts([key]))[0]


@post.field("comments")
async def load_comments(parent: dict[str, Any], info: Info, first: int) -> Any:
    """Return the first comments on a post."""
    return await info.context.comments.load((parent["id"], first))


@comment.field("author")
async def load_author(parent: dict[str, Any], info: Info) -> Any:
    """Return who wrote a comment."""
    return await info.context.users.load((parent["authorId"], 1))
