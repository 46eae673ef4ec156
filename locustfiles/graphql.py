"""GraphQL queries, from 3 to 200 points, and the N+1 problem with and without batching.

A right answer: no `errors`, the complexity that is due, as many of everything as were asked for, and with
batching what comes without. Each query may take 10 ms + 2 ms a point, which is a soft check of its own.
"""

from __future__ import annotations

from locust import between, task

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from locustfiles.school import STUDENTS, BudgetedGraphqlUser, PricedQuery
from plimsoll import GraphqlQuery, Step, WrongAnswerError, field, filled, identifier, record_run

record_run()

T = TypeVar("T")

RECENT_SESSIONS, UPCOMING = 10, 4
CAREERS, TRENDS = 10, 5
POSTS, COMMENTS = 4, 5
USERS, POSTS_OF_EACH = 100, 2
DASHBOARD = """{
  studentDashboard {
    profile { name email school }
    currentCareer { title field }
    recentSessions(first: 10) { id title startedAt }
    metrics { sessions answers percentage }
    upcoming(first: 4) { id title }
  }
}"""


def dashboard_of(email: str) -> GraphqlQuery[None]:
    """Return the query for a student's dashboard, which must be this student's, and whole."""

    def check(data: Any) -> None:
        found = filled(data, "studentDashboard", dict)
        if filled(filled(found, "profile", dict), "email", str) != email:
            raise WrongAnswerError("'email' is another user's")
        if len(field(found, "recentSessions", list)) > RECENT_SESSIONS:
            raise WrongAnswerError(f"got more than {RECENT_SESSIONS} in 'recentSessions'")
        if len(filled(found, "upcoming", list)) > UPCOMING:
            raise WrongAnswerError(f"got more than {UPCOMING} in 'upcoming'")
        if not 0 <= field(filled(found, "metrics", dict), "percentage", float) <= 100:
            raise WrongAnswerError("'percentage' is outside 0–100")

    return GraphqlQuery("graphql.student_dashboard", DASHBOARD, check)


def exploration(data: Any) -> None:
    """Check that there are careers, trends and fields to explore."""
    found = filled(data, "careerExploration", dict)
    for key, most in (("careers", CAREERS), ("trending", TRENDS)):
        if len(filled(found, key, list)) > most:
            raise WrongAnswerError(f"got more than {most} in {key!r}")
    filled(found, "fields", list)


def the_first_user(data: Any) -> dict[str, Any]:
    """Read the user that was asked for."""
    user = filled(data, "user", dict)
    filled(user, "name", str)
    return user


def simple_user(data: Any) -> None:
    """Check that it is the user with the id that was asked for."""
    if str(identifier(the_first_user(data), "id")) != "1":
        raise WrongAnswerError("'id' is another user's")


def nested_posts(data: Any) -> None:
    """Check that posts have comments, and all comments an author."""
    posts = filled(the_first_user(data), "posts", list)
    if len(posts) > POSTS:
        raise WrongAnswerError(f"got more than {POSTS} posts")
    for post in posts:
        for comment in field(post, "comments", list):
            filled(filled(comment, "author", dict), "name", str)


def aggregates(data: Any) -> None:
    """Check that the means are those of the counts."""
    found = filled(data, "analytics", dict)
    for mean, of, by in (("postsPerAuthor", "posts", "authors"), ("commentsPerPost", "comments", "posts")):
        # Told to three places.
        if abs(field(found, mean, float) - field(found, of, int) / max(1, field(found, by, int))) > 0.001:
            raise WrongAnswerError(f"{mean!r} is not {of} by {by}")


def posts_of_all(data: Any) -> list[list[str]]:
    """Read the titles of each user's posts."""
    users = field(data, "users", list)
    if len(users) != USERS:
        raise WrongAnswerError(f"got not {USERS} users")
    titles = [[filled(post, "title", str) for post in field(user, "posts", list)] for user in users]
    if max(map(len, titles)) > POSTS_OF_EACH:
        raise WrongAnswerError(f"got more than {POSTS_OF_EACH} posts of a user")
    return titles


def same_as(expected: list[list[str]]) -> Callable[[Any], None]:
    """Return a check that these posts are those that came without batching."""

    def check(data: Any) -> None:
        if posts_of_all(data) != expected:
            raise WrongAnswerError("with batching came other posts than without")

    return check


def n_plus_one(name: str, read: Callable[[Any], T]) -> PricedQuery[T]:
    """Return the query for the posts of 100 users, under this name."""
    posts = "posts(first: 2, batched: $batched) { title }"
    text = f"query Posts($batched: Boolean!) {{ users(first: 100) {{ {posts} }} }}"
    return PricedQuery(name, text, read, points=200)


EXPLORATION = GraphqlQuery(
    "graphql.career_exploration",
    """{
  careerExploration {
    careers(first: 10) { id title level }
    trending(first: 5) { id title selections }
    fields { field careers }
  }
}""",
    exploration,
)
SIMPLE = PricedQuery("graphql.simple", "{ user(id: 1) { id name } }", simple_user, points=3)
NESTED = PricedQuery(
    "graphql.nested",
    "{ user(id: 1) { name posts(first: 4) { id title comments(first: 5) { body author { name } } } } }",
    nested_posts,
    points=70,
)
ANALYTICS = PricedQuery(
    "graphql.analytics",
    "{ analytics { users posts comments authors postsPerAuthor commentsPerPost } }",
    aggregates,
    points=100,
)


def budgeted(name: str) -> tuple[str, str]:
    """Return what a query makes: itself, and the check of its time."""
    return name, f"{name}.in_time"


class GraphqlQueriesUser(BudgetedGraphqlUser):
    """Query the dashboard and a user (3 of 12 each), careers and posts (2), analytics and all posts (1)."""

    wait_time = between(1, 3)
    accounts = STUDENTS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {
            "auth.login",
            "graphql.analytics",
            "graphql.career_exploration",
            "graphql.nested",
            "graphql.posts_batched",
            "graphql.posts_singly",
            "graphql.simple",
            "graphql.student_dashboard",
        }
    )
    metric_names: ClassVar[frozenset[str]] = frozenset({"graphql.*.in_time"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "look_at_dashboard": budgeted("graphql.student_dashboard"),
        "explore": budgeted("graphql.career_exploration"),
        "look_up_user": budgeted("graphql.simple"),
        "read_discussion": budgeted("graphql.nested"),
        "analyse": budgeted("graphql.analytics"),
        "read_all_posts": (*budgeted("graphql.posts_singly"), *budgeted("graphql.posts_batched")),
    }

    @task(3)
    def look_at_dashboard(self) -> None:
        """Open the own dashboard."""
        self.account()
        self.query(dashboard_of(self.credentials.email))

    @task(2)
    def explore(self) -> None:
        """See which careers there are."""
        self.account()
        self.query(EXPLORATION)

    @task(3)
    def look_up_user(self) -> None:
        """Look up one user."""
        self.account()
        self.query(SIMPLE)

    @task(2)
    def read_discussion(self) -> None:
        """Read a user's posts, the comments on them, and who wrote those."""
        self.account()
        self.query(NESTED)

    @task(1)
    def analyse(self) -> None:
        """Have everything counted."""
        self.account()
        self.query(ANALYTICS)

    @task(1)
    def read_all_posts(self) -> None:
        """Read the posts of 100 users by 101 queries of the database, and the same again by two."""
        self.account()
        singly = self.query(n_plus_one("graphql.posts_singly", posts_of_all), batched=False)
        self.query(n_plus_one("graphql.posts_batched", same_as(singly)), batched=True)
