"""The journeys are content with right answers, and count a wrong one as a failure even with status 200."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest

from locustfiles import auth, careers, orders, parents, volume
from locustfiles.auth import AuthUser
from locustfiles.careers import CareersUser
from locustfiles.graphql import GraphqlQueriesUser
from locustfiles.morning import MorningUser
from locustfiles.orders import OrdersUser
from locustfiles.parents import ParentsUser
from locustfiles.pool import PoolUser
from locustfiles.storefront import StorefrontUser
from locustfiles.synthetic import SyntheticHealthUser, SyntheticLoginUser
from locustfiles.volume import VolumeUser
from plimsoll.http1.errors import ClosedEarly, IncompleteBody
from plimsoll.users.api import ApiUser
from tests.school import (
    Reply,
    Tamper,
    lost,
    play,
    rewritten,
    said,
    with_field,
    without_field,
    without_headers,
)

THREE_CAREERS = rewritten(lambda body: {"careers": body["careers"][:3]})


@pytest.fixture(autouse=True)
def what_is_rare_is_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a journey do within some iterations what it rarely does."""
    monkeypatch.setattr(auth, "WRONG_PASSWORD_SHARE", 0.5)
    monkeypatch.setattr(careers, "SESSIONS_PER_MEMORY_LOOK", 2)
    for share in ("CONFIRMED_SHARE", "CONFIRMED_TWICE_SHARE", "PROFILE_UPDATED_SHARE"):
        monkeypatch.setattr(orders, share, 0.5)
    monkeypatch.setattr(parents, "STRANGERS_CHILD_SHARE", 0.5)
    monkeypatch.setattr(volume, "newcomers", SimpleNamespace(result="new-"))


def of_each(key: str, field: str, value: object) -> Tamper:
    """Return a tamper that puts a wrong value into each member of a list."""
    return rewritten(lambda body: body | {key: [member | {field: value} for member in body[key]]})


def of_list(key: str, change: Callable[[list[Any]], list[Any]]) -> Tamper:
    """Return a tamper that changes a list."""
    return rewritten(lambda body: body | {key: change(body[key])})


def of_data(change: Callable[[dict[str, Any]], object]) -> Tamper:
    """Return a tamper that changes the data of a GraphQL answer in place."""

    def tamper(body: dict[str, Any]) -> dict[str, Any]:
        change(body["data"])
        return body

    return rewritten(tamper)


def of_pool(**figures: int) -> Tamper:
    """Return a tamper that gives the service's pool of connections other figures."""
    return rewritten(lambda body: body | {"pool": body["pool"] | figures})


def first_again() -> Tamper:
    """Return a tamper that answers each time what it answered first, so also what was chosen since."""
    first: list[Reply] = []

    def tamper(reply: Reply) -> Reply:
        first.append(reply)
        return first[0]

    return tamper


def late(reply: Reply) -> Reply:
    """Answer right, but longer after the question than a health check may take."""
    return reply._replace(elapsed_s=0.6)


Lie = tuple[str, Tamper, str]
"""A request, how its answers are tampered with, and the reason of the failure that must be counted."""

LIES: dict[tuple[type[ApiUser], str], list[Lie]] = {
    (AuthUser, "log_in"): [
        ("auth.login", with_field("token", ""), "'token' is empty"),
        ("auth.login", without_field("role"), "'role' is missing"),
        ("auth.login_wrong_password", said(200), "got status 200, expected 401"),
    ],
    (AuthUser, "come_without_token"): [("auth.no_token", said(200), "got status 200, expected 401")],
    (AuthUser, "register"): [
        ("auth.register", said(200), "got status 200, expected 201"),
        ("auth.register_taken", said(201), "got status 201, expected 409"),
    ],
    (CareersUser, "learn"): [
        ("auth.login", said(500), "got status 500, expected 200"),
        ("careers.pool", THREE_CAREERS, "got 3 careers, expected exactly 4"),
        (
            "careers.pool",
            of_list("careers", lambda offered: offered[:1] * 4),
            "got the same career more than once",
        ),
        ("careers.pool", first_again(), "got a career that was chosen in the last 5 days"),
        ("careers.pool", with_field("careers", {}), "'careers' is an object, expected an array"),
        (
            "careers.select",
            lost(ClosedEarly()),
            "the server closed the connection before the headers were complete",
        ),
        ("careers.content", said(200, b'{"learn": ['), "the body is not JSON"),
        ("careers.content", with_field("experience", []), "'experience' is empty"),
        ("careers.interact", with_field("correct", value=False), "a right answer was judged otherwise"),
        ("careers.interact", with_field("correct", value=True), "a wrong answer was judged otherwise"),
        ("careers.flow_state", with_field("percentage", 140), "'percentage' is outside 0–100"),
        ("careers.flow_state", with_field("percentage", float("nan")), "'percentage' is outside 0–100"),
        ("careers.memory", with_field("heapUsed", 3e6), "'heapUsed' is not within 'heapTotal'"),
    ],
    (CareersUser, "look_at_trends"): [
        ("careers.trending", without_headers, "header X-Cache says neither HIT nor MISS")
    ],
    (CareersUser, "look_at_dashboard"): [
        (
            "careers.dashboard",
            lost(IncompleteBody()),
            "the server closed the connection before the body was complete",
        )
    ],
    (CareersUser, "analyse"): [
        ("careers.pathiq", with_field("studentId", 0), "'studentId' is another student's")
    ],
    (CareersUser, "check_health"): [
        ("careers.health", said(503), "breaker open (503)"),
        ("careers.health", said(429), "rate limited (429)"),
        ("careers.health", lost(ClosedEarly()), "down (no answer)"),
    ],
    (OrdersUser, "browse"): [
        ("orders.products", with_field("data", []), "'data' is empty"),
        ("orders.product", with_field("price", 1e6), "the product differs from the listed one"),
    ],
    (OrdersUser, "order"): [
        ("orders.create", said(200, b'{"id": 1}'), "got status 200, expected 201"),
        ("orders.add_item", with_field("total", 0), "'total' is not the sum of the items"),
        ("orders.get", with_field("total", 0), "'total' is not the sum of the items"),
        ("orders.confirm", with_field("status", "pending"), "'status' is not confirmed"),
        ("orders.move_refused", said(200), "got status 200, expected 409"),
    ],
    (OrdersUser, "keep_profile"): [
        ("orders.profile", with_field("email", "x"), "'email' is another user's"),
        ("orders.profile_update", with_field("name", "as before"), "'name' is not the new one"),
    ],
    (OrdersUser, "administer"): [("orders.admin_refused", said(200), "got status 200, expected 403")],
    (StorefrontUser, "oversee"): [("orders.admin_refused", said(200), "got status 200, expected 403")],
    (MorningUser, "arrive"): [
        ("auth.login", said(500), "got status 500, expected 200"),
        ("morning.dashboard", with_field("studentId", 0), "'studentId' is another student's"),
        ("morning.pool", THREE_CAREERS, "got 3 careers, expected exactly 4"),
        ("morning.pool", first_again(), "got a career that was chosen in the last 5 days"),
        ("morning.select", without_field("sessionId"), "'sessionId' is missing"),
        ("morning.content", with_field("discover", []), "'discover' is empty"),
    ],
    (ParentsUser, "spend_evening"): [
        ("parents.dashboard", with_field("children", []), "'children' is empty"),
        ("parents.dashboard", of_each("children", "percentage", 140), "'percentage' is outside 0–100"),
        (
            "parents.dashboard",
            of_each("children", "recentSessions", None),
            "'recentSessions' is null, expected an array",
        ),
        (
            "parents.dashboard",
            of_list("children", lambda children: children[:1] * 2),
            "got the same child more than once",
        ),
        (
            "parents.report",
            of_each("students", "studentId", 0),
            "the report is not on the students that were asked for",
        ),
        (
            "parents.report",
            with_field("months", []),
            "the months' 'selections' do not add up to the students'",
        ),
        ("parents.report_refused", said(200), "got status 200, expected 403"),
    ],
    (PoolUser, "borrow"): [("pool.borrow", with_field("data", []), "'data' is empty")],
    (PoolUser, "look_at_pool"): [
        ("pool.status", without_field("pool"), "'pool' is missing"),
        ("pool.status", of_pool(available=11), "'available' is not within 'size'"),
        ("pool.status", of_pool(waiting=-1), "'waiting' is below 0"),
    ],
    (VolumeUser, "read_history"): [
        ("volume.history", without_field("hasMore"), "'hasMore' is missing"),
        ("volume.history", with_field("hasMore", value=False), "the history ends within 1000 selections"),
        (
            "volume.history",
            of_list("selections", lambda selections: selections[:9]),
            "a page before the last has not 1000 selections",
        ),
        (
            "volume.history",
            of_list("selections", lambda selections: selections[:1] * len(selections)),
            "got the same selection more than once",
        ),
        (
            "volume.history",
            of_list("selections", lambda selections: selections[::-1]),
            "the selections are not in order, newest first",
        ),
    ],
    (VolumeUser, "enrol_class"): [
        ("volume.enroll", with_field("created", 99), "'created' is not 100"),
        (
            "volume.enroll",
            of_each("students", "email", "who@plimsoll.test"),
            "'students' are not those that were to be enrolled",
        ),
    ],
    (VolumeUser, "have_report_made"): [
        ("volume.report_generate", without_field("jobId"), "'jobId' is missing"),
        ("volume.report_job", with_field("status", "failed"), "the job failed"),
        ("volume.report_job", with_field("status", "lost"), "'status' is none of a job's"),
        ("volume.report_job", with_field("status", "running"), "the job has not ended within 60 s"),
        ("volume.report_job", with_field("result", None), "'result' is null, expected an object"),
        (
            "volume.report_job",
            rewritten(lambda job: job | {"result": job["result"] | {"students": []}}),
            "the report is not on the students that were asked for",
        ),
    ],
    (GraphqlQueriesUser, "look_up_user"): [
        (
            "graphql.simple",
            said(200, json.dumps({"data": None, "errors": [{"message": "timed out after 30 ms"}]}).encode()),
            "errors: timed out after … ms",
        ),
        ("graphql.simple", with_field("extensions", {"complexity": 2}), "'complexity' is not 3"),
        ("graphql.simple", without_field("extensions"), "'extensions' is missing"),
        ("graphql.simple", of_data(lambda data: data["user"].update(id="2")), "'id' is another user's"),
        ("graphql.simple", said(200, b"[]"), "expected an object with 'data', got an array"),
    ],
    (GraphqlQueriesUser, "look_at_dashboard"): [
        (
            "graphql.student_dashboard",
            of_data(lambda data: data["studentDashboard"]["profile"].update(email="who@plimsoll.test")),
            "'email' is another user's",
        ),
        (
            "graphql.student_dashboard",
            of_data(lambda data: data["studentDashboard"].update(upcoming=[])),
            "'upcoming' is empty",
        ),
        (
            "graphql.student_dashboard",
            of_data(lambda data: data["studentDashboard"]["metrics"].update(percentage=101)),
            "'percentage' is outside 0–100",
        ),
        (
            "graphql.student_dashboard",
            of_data(lambda data: data["studentDashboard"].update(recentSessions=[{}] * 11)),
            "got more than 10 in 'recentSessions'",
        ),
    ],
    (GraphqlQueriesUser, "explore"): [
        (
            "graphql.career_exploration",
            of_data(lambda data: data["careerExploration"].update(careers=[])),
            "'careers' is empty",
        ),
        (
            "graphql.career_exploration",
            of_data(lambda data: data["careerExploration"].update(trending=[{}] * 6)),
            "got more than 5 in 'trending'",
        ),
    ],
    (GraphqlQueriesUser, "read_discussion"): [
        (
            "graphql.nested",
            of_data(lambda data: data["user"]["posts"][0]["comments"][0].update(author=None)),
            "'author' is null, expected an object",
        ),
        (
            "graphql.nested",
            of_data(lambda data: data["user"].update(posts=data["user"]["posts"] * 2)),
            "got more than 4 posts",
        ),
    ],
    (GraphqlQueriesUser, "analyse"): [
        (
            "graphql.analytics",
            of_data(lambda data: data["analytics"].update(commentsPerPost=4.5)),
            "'commentsPerPost' is not comments by posts",
        )
    ],
    (GraphqlQueriesUser, "read_all_posts"): [
        ("graphql.posts_singly", of_data(lambda data: data["users"].pop()), "got not 100 users"),
        (
            "graphql.posts_singly",
            of_data(lambda data: data["users"][5].update(posts=[{"title": "One"}] * 3)),
            "got more than 2 posts of a user",
        ),
        (
            "graphql.posts_batched",
            of_data(lambda data: data["users"].reverse()),
            "with batching came other posts than without",
        ),
    ],
    (SyntheticLoginUser, "play_and_tell"): [
        ("synthetic.navigate", without_headers, "'navigate': header Content-Type does not say text/html"),
        ("auth.login", said(503), "'login': got status 503, expected 200"),
        ("synthetic.pool", THREE_CAREERS, "'select': got 3 careers, expected exactly 4"),
        (
            "synthetic.activity",
            with_field("correct", value=False),
            "'activities': a right answer was judged otherwise",
        ),
    ],
    (SyntheticHealthUser, "play_and_tell"): [
        ("synthetic.health", late, "'health': took over 500 ms"),
        ("synthetic.health", said(503), "'health': got status 503, expected 200"),
        (
            "synthetic.health",
            with_field("status", "so-so"),
            "'health': 'status' is neither healthy nor degraded",
        ),
        ("synthetic.status", with_field("status", ""), "'status': 'status' is empty"),
    ],
}
ROWS = [(journey, task, *lie) for (journey, task), lies in LIES.items() for lie in lies]
"""Of a journey, one of its tasks, and of that one lie."""


@pytest.mark.parametrize(
    ("journey", "task", "name", "tamper", "failure"),
    ROWS,
    ids=[f"{row[1]}, {row[2]}: {row[4]}" for row in ROWS],
)
def test_a_wrong_answer_is_counted_with_its_text(
    journey: type[ApiUser], task: str, name: str, tamper: Tamper, failure: str
) -> None:
    """What is wrong is a failure, named, the only one, and it crashes no user."""
    scenario = {SyntheticLoginUser: "synthetic.login_flow", SyntheticHealthUser: "synthetic.api_health"}
    prefix = f"{scenario[journey]} at 'local' failed at step " if journey in scenario else f"{name}: "

    assert play(journey, task, name, tamper).failures == [f"{prefix}{failure}"]


@pytest.mark.parametrize("journey", dict.fromkeys(journey for journey, _ in LIES))
def test_right_answers_are_right(journey: type[ApiUser]) -> None:
    """Of right answers none is counted as a failure, and every declared request is made."""
    tasks = {task for of_journey, task in LIES if of_journey is journey}
    tasks |= {task.__name__ for task in journey.tasks if isinstance(task, FunctionType)}
    roles = ("student", "admin") if issubclass(journey, orders.ShopVisitor) else ("student",)
    schools = [play(journey, task, role=role) for task in tasks for role in roles]

    assert [school.failures for school in schools] == [[]] * len(schools)
    assert set().union(*(school.asked for school in schools)) == journey.request_names
