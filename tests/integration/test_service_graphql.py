"""GraphQL of the bundled service: the queries that journeys send, what they cost, and what goes wrong."""

from typing import Any

import psycopg
import pytest
from graphql import get_introspection_query

from tests.fix_bundled_service import ServiceProcess, Visitor, new_student

STUDENT_DASHBOARD = """{
  studentDashboard {
    profile { name email school }
    currentCareer { title field }
    recentSessions(first: 10) { id title startedAt }
    metrics { sessions answers percentage }
    upcoming(first: 4) { id title }
  }
}"""
CAREER_EXPLORATION = """query Explore($field: String) {
  careerExploration(field: $field) {
    careers(first: 10) { id title level }
    trending(first: 5) { id title selections }
    fields { field careers }
  }
}"""
SIMPLE = "{ user(id: 1) { id name } }"
NESTED = """{
  user(id: 1) { name posts(first: 4) { id title comments(first: 5) { body author { name } } } }
}"""
AGGREGATE = "{ analytics { users posts comments authors postsPerAuthor commentsPerPost } }"
N_PLUS_ONE = """query Posts($batched: Boolean!) {
  users(first: 100) { posts(first: 2, batched: $batched) { title } }
}"""
TOO_EXPENSIVE = "the query costs 1500 points, at most 1000 are allowed"
NO_VALUE = "Variable '$id' has invalid value: Expected a value of non-null type 'ID!' to be provided."
DOUBLING = "{ user(id: 1) { ...F0 } } " + " ".join(
    f"fragment F{i} on User {{ ...F{i + 1} ...F{i + 1} }}" for i in range(40)
)


def query(visitor: Visitor, text: str, **variables: object) -> dict[str, Any]:
    """Run a query; its answer has status 200 whatever is in it."""
    answer = visitor.client.post("/graphql", json={"query": text, "variables": variables})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def get(visitor: Visitor, text: str, **variables: object) -> dict[str, Any]:
    """Run a query that must not fail; return its data."""
    answer = query(visitor, text, **variables)
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


def messages(visitor: Visitor, text: str, **variables: object) -> list[str]:
    """Run a query that must fail; return what its errors say."""
    return [error["message"] for error in query(visitor, text, **variables)["errors"]]


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (SIMPLE, 3),
        (
            "query ($n: Int = 4) { user(id: 1) { ...F } } fragment F on User { id posts(first: $n) { id } }",
            6,  # user 1, posts 4 * 1, id 1
        ),
        ("{ user(id: 1) { ... { name } __typename } }", 3),
        ("{ __schema { types { name } } }", 252),
        ('{ __type(name: "User") { ...F } } fragment F on __Type { fields { name type { name } } }', 29),
        (STUDENT_DASHBOARD, 50),  # 1 + profile 1+3, career 1+2, sessions 10*3, metrics 1+3, upcoming 4*2
        (CAREER_EXPLORATION, 48),  # 1 + careers 10*3, trending 5*3, fields 2
        (NESTED, 70),  # user 1, name 1, posts 4 * (2 + comments 5 * (body 1 + author 1 + name 1))
        (AGGREGATE, 100),  # 10 + 6 * 15
        (N_PLUS_ONE.replace("$batched", "true").replace("query Posts(true: Boolean!) ", ""), 200),  # 100 * 2
    ],
)
def test_complexity_is_told(student: Visitor, text: str, points: int) -> None:
    """Every answer says what its query costs, by fields and by what lists may hold."""
    answer = query(student, text)

    assert "errors" not in answer
    assert answer["extensions"] == {"complexity": points}


def test_student_dashboard(student: Visitor) -> None:
    """The dashboard of a newcomer has no career; one selected is current, and not upcoming."""
    before = get(student, STUDENT_DASHBOARD)["studentDashboard"]
    path = f"/api/v1/students/{student.student_id}/careers/select"
    career_id = before["upcoming"][0]["id"]
    session = student.client.post(path, json={"careerId": int(career_id)}).json()
    after = get(student, STUDENT_DASHBOARD)["studentDashboard"]

    assert (before["currentCareer"], before["recentSessions"], len(before["upcoming"])) == (None, [], 4)
    assert after["profile"]["email"] == student.email
    assert after["currentCareer"]["title"] == before["upcoming"][0]["title"]
    assert [found["id"] for found in after["recentSessions"]] == [str(session["sessionId"])]
    assert after["metrics"] == {"sessions": 1, "answers": 0, "percentage": 0}
    assert career_id not in {career["id"] for career in after["upcoming"]}


def test_career_exploration(student: Visitor) -> None:
    """Of one field there are its careers only; of all eight fields there are ten careers and five trends."""
    science = get(student, CAREER_EXPLORATION, field="science")["careerExploration"]
    everything = get(student, CAREER_EXPLORATION)["careerExploration"]

    assert [summary["field"] for summary in science["fields"]] == ["science"]
    assert science["careers"][0]["title"] == "Marine Biologist 1"
    assert (len(everything["careers"]), len(everything["trending"])) == (10, 5)
    assert len(everything["fields"]) == 8


def test_nested_query(database_url: str, open_service: ServiceProcess) -> None:
    """Posts are a user's newest, comments a post's first, authors who wrote them."""
    with new_student(open_service.url) as student, psycopg.connect(database_url) as database:
        user = get(student, NESTED)["user"]
        rows = database.execute(
            "SELECT c.body, u.name FROM plimsoll.comments c JOIN plimsoll.users u ON u.id = c.author_id "
            "WHERE c.post_id = (SELECT max(id) FROM plimsoll.posts WHERE author_id = 1) ORDER BY c.id LIMIT 5"
        ).fetchall()

    newest = user["posts"][0]
    assert len(user["posts"]) == 4
    assert [(found["body"], found["author"]["name"]) for found in newest["comments"]] == rows


def test_aggregates(database_url: str, open_service: ServiceProcess) -> None:
    """The small data set has 5,000 posts by 1,000 authors and 20,000 comments."""
    with new_student(open_service.url) as student, psycopg.connect(database_url) as database:
        analytics = get(student, AGGREGATE)["analytics"]
        users = database.execute("SELECT count(*) FROM plimsoll.users").fetchone()

    assert users is not None
    assert analytics.pop("users") <= users[0]
    assert analytics == {
        "posts": 5000,
        "comments": 20000,
        "authors": 1000,
        "postsPerAuthor": 5,
        "commentsPerPost": 4,
    }


def test_batching_changes_no_answer(student: Visitor) -> None:
    """The posts of 100 users are the same with batching and without."""
    batched, singly = (get(student, N_PLUS_ONE, batched=batched) for batched in (True, False))

    assert batched == singly
    assert [len(user["posts"]) for user in batched["users"]] == [2] * 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Syntax Error: Expected Name, found <EOF>."),
        ("{ nothing }", "Cannot query field 'nothing' on type 'Query'."),
        ("mutation { user }", "The mutation operation is not supported by the schema."),
        ("{ users(first: 0) { id } }", "first must be from 1 to 100, got 0"),
        ("{ users(first: 101) { id } }", "first must be from 1 to 100, got 101"),
        ("{ users(first: 100) { posts { id title body } } }", TOO_EXPENSIVE),
        (
            "{ users(first: 100) { posts(first: 100) { __typename } } }",
            "the query costs 10000 points, at most 1000 are allowed",
        ),
        ("query ($id: ID!) { user(id: $id) { id } }", NO_VALUE),
        ('{ user(id: "one") { id } }', "an ID must be a whole number of at most 18 digits, got 'one'"),
        ("{ studentDashboard(studentId: 1) { profile { name } } }", "this belongs to another student"),
    ],
)
def test_mistakes_are_errors_in_a_200_answer(student: Visitor, text: str, message: str) -> None:
    """Whatever is wrong with a query is told in `errors`; the status stays 200."""
    assert messages(student, text) == [message]


def test_fragments_that_double_are_weighed_at_once(student: Visitor) -> None:
    """Forty fragments that each spread the next twice are answered, and not weighed for years."""
    assert messages(student, DOUBLING + " fragment F40 on User { name }")


@pytest.mark.parametrize(
    ("part", "count", "message"),
    [
        (
            "a%d: __schema { types { fields { name } } }",
            4,
            "the query costs 1008 points, at most 1000 are allowed",
        ),
        ('a%d: __type(name: "User") { name }', 40, "the query costs 1080 points, at most 1000 are allowed"),
        (
            "__schema { types { a%d: fields { name } } }",
            1,
            "aliases are not allowed below __schema and __type",
        ),
        (
            "...F } fragment F on Query { __schema { types { ...G%d } } } fragment G%d on __Type { a: name",
            1,
            "aliases are not allowed below __schema and __type",
        ),
        (
            "user(id: %d) { id }",
            200,
            "Syntax Error: Document contains more than 1000 tokens. Parsing aborted.",
        ),
        (
            "__schema { types { fields { type { fields { type { fields { name } } } } } } }",
            1,
            "Maximum introspection depth exceeded",
        ),
    ],
)
def test_what_would_stall_others_is_refused(student: Visitor, part: str, count: int, message: str) -> None:
    """The schema is asked for by few, without aliases, not in circles; a query has at most 1,000 tokens."""
    parts = [part.replace("%d", str(number)) for number in range(1, count + 1)]

    assert messages(student, f"{{ {' '.join(parts)} }}") == [message]


def test_tools_may_ask_for_the_whole_schema(student: Visitor) -> None:
    """The query by which GraphQL tools learn a schema is answered."""
    assert get(student, get_introspection_query())["__schema"]["queryType"]["name"] == "Query"


@pytest.mark.parametrize(
    "text",
    [
        f"{{ users(first: {'9' * 5000}) {{ id }} }}",
        f"{{ users(first: {'[' * 5000}{']' * 5000}) {{ id }} }}",
        f"{{ user(id: 1) {'{ posts { comments { author' * 400} id {'} } }' * 400} }}",
        " ".join(
            ["{ user(id: 1) { ...F0 } }", *(f"fragment F{i} on User {{ ...F{i + 1} }}" for i in range(450))]
        ),
    ],
)
def test_what_is_too_long_or_too_deep_is_the_clients_mistake(student: Visitor, text: str) -> None:
    """Numbers, values, selections and chains of fragments without end are told as errors of the query."""
    assert "the service failed; its log says why" not in messages(student, text)


def test_unknown_user_is_null(student: Visitor) -> None:
    """A user that does not exist is null, and no error."""
    assert get(student, "{ user(id: 987654321) { id } }") == {"user": None}


def test_admins_name_the_student(admin: Visitor) -> None:
    """An admin sees the dashboard of a student, has none himself, and gets an error for an unknown one."""
    text = "query ($id: ID) { studentDashboard(studentId: $id) { profile { name } } }"

    assert get(admin, text, id=1)["studentDashboard"]["profile"]["name"] == "Student 1"
    assert messages(admin, text) == ["only students have this"]
    assert messages(admin, text, id=987654321) == ["there is no such student"]


def test_lost_table_is_told_without_its_insides(database_url: str, open_service: ServiceProcess) -> None:
    """When a field breaks unforeseen, its error tells nothing of the database."""
    with new_student(open_service.url) as student, psycopg.connect(database_url, autocommit=True) as database:
        database.execute("ALTER TABLE plimsoll.comments RENAME TO elsewhere")
        try:
            told = messages(student, AGGREGATE)
        finally:
            database.execute("ALTER TABLE plimsoll.elsewhere RENAME TO comments")

    assert told == ["the service failed; its log says why"]


@pytest.mark.parametrize("body", [{}, {"query": ""}, {"query": 1}, {"query": SIMPLE, "variables": []}])
def test_what_is_no_request_is_422(student: Visitor, body: dict[str, object]) -> None:
    """Only what is no GraphQL request at all has another status than 200."""
    assert student.client.post("/graphql", json=body).status_code == 422
