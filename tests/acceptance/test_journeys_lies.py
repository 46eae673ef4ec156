"""The journeys beside the main ones are as unforgiving against a liar."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from locustfiles.graphql import GraphqlQueriesUser
from locustfiles.morning import MorningUser
from locustfiles.parents import ParentsUser
from locustfiles.pool import PoolUser
from locustfiles.storefront import StorefrontUser
from locustfiles.synthetic import SyntheticHealthUser, SyntheticLoginUser
from locustfiles.volume import VolumeUser
from plimsoll.users.api import ApiUser
from tests.fix_liar import Lie, Reply, never_refuses, rewritten, said, with_field, without_field
from tests.journeys import Hasty, run_hastily

LOGIN = "POST /api/auth/login"
POOL = r"GET /api/v1/students/\d+/careers/pool"
SELECT = r"POST /api/v1/students/\d+/careers/select"
CONTENT = r"GET /api/v1/sessions/\d+/content"
INTERACT = r"POST /api/v1/sessions/\d+/interact"
DASHBOARD = "GET /api/v1/students/dashboard"
CHILDREN, CHILD_REPORT = "GET /api/v1/parents/dashboard", "POST /api/v1/parents/reports"
HISTORY = r"GET /api/v1/students/1/career-history\?.*"
ENROLMENT, JOB = "POST /api/v1/schools/bulk-enroll", r"GET /api/v1/reports/jobs/\d+"
THREE_CAREERS = rewritten(lambda body: {"careers": body["careers"][:3]})

Told = tuple[str, Callable[[Reply], Reply | None], str]
"""A route, how its answers are tampered with, and the failure they must be counted as."""


def of_each(key: str, field: str, value: object) -> Callable[[Reply], Reply]:
    """Return a tamper that puts a wrong value into each member of a list."""
    return rewritten(lambda body: body | {key: [member | {field: value} for member in body[key]]})


def of_list(key: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[Reply], Reply]:
    """Return a tamper that changes a list."""
    return rewritten(lambda body: body | {key: change(body[key])})


def of_result(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Reply], Reply]:
    """Return a tamper that changes the result of a job, once it has one."""
    return rewritten(lambda job: job | {"result": job["result"] and change(job["result"])})


def of_data(change: Callable[[dict[str, Any]], object]) -> Callable[[Reply], Reply]:
    """Return a tamper that changes the data of a GraphQL answer in place."""

    def tamper(body: dict[str, Any]) -> dict[str, Any]:
        change(body["data"])
        return body

    return rewritten(tamper)


def of_pool(**figures: int) -> Callable[[Reply], Reply]:
    """Return a tamper that gives the service's pool of connections other figures."""
    return rewritten(lambda body: body | {"pool": body["pool"] | figures})


def every_other(tamper: Callable[[Reply], Reply]) -> Callable[[Reply], Reply]:
    """Return a tamper that leaves the first, the third, the fifth … answer as it is."""
    numbers = count()
    return lambda reply: tamper(reply) if next(numbers) % 2 else reply


def late(reply: Reply) -> Reply:
    """Answer right, but longer after the question than a health check may take here."""
    time.sleep(3.2)
    return reply


MORNING: dict[str, Told] = {
    "sleeping_login": (LOGIN, said(500), "auth.login: got status 500, expected 200"),
    "other_dashboard": (
        DASHBOARD,
        with_field("studentId", 0),
        "morning.dashboard: 'studentId' is another student's",
    ),
    "three_careers": (POOL, THREE_CAREERS, "morning.pool: got 3 careers, expected exactly 4"),
    "no_session": (SELECT, without_field("sessionId"), "morning.select: 'sessionId' is missing"),
    "nothing_to_discover": (CONTENT, with_field("discover", []), "morning.content: 'discover' is empty"),
}
PARENTS: dict[str, Told] = {
    "childless": (CHILDREN, with_field("children", []), "parents.dashboard: 'children' is empty"),
    "overachievers": (
        CHILDREN,
        of_each("children", "percentage", 140),
        "parents.dashboard: 'percentage' is outside 0–100",
    ),
    "no_sessions": (
        CHILDREN,
        of_each("children", "recentSessions", None),
        "parents.dashboard: 'recentSessions' is null, expected an array",
    ),
    "twins": (
        CHILDREN,
        of_list("children", lambda children: children[:1] * 2),
        "parents.dashboard: got the same child more than once",
    ),
    "other_child": (
        CHILD_REPORT,
        of_each("students", "studentId", 0),
        "parents.report: the report is not on the students that were asked for",
    ),
    "lost_months": (
        CHILD_REPORT,
        with_field("months", []),
        "parents.report: the months' 'selections' do not add up to the students'",
    ),
    "open_to_strangers": (
        CHILD_REPORT,
        never_refuses,
        "parents.report_refused: got status 200, expected 403",
    ),
}
HISTORIES: dict[str, Told] = {
    "no_more": (HISTORY, without_field("hasMore"), "volume.history: 'hasMore' is missing"),
    "cut_short": (
        HISTORY,
        with_field("hasMore", value=False),
        "volume.history: the history ends within 1000 selections",
    ),
    "thin_page": (
        HISTORY,
        of_list("selections", lambda selections: selections[:9]),
        "volume.history: a page before the last has not 1000 selections",
    ),
    "again_and_again": (
        HISTORY,
        of_list("selections", lambda selections: selections[:1] * len(selections)),
        "volume.history: got the same selection more than once",
    ),
    "oldest_first": (
        HISTORY,
        of_list("selections", lambda selections: selections[::-1]),
        "volume.history: the selections are not in order, newest first",
    ),
}
ENROLMENTS: dict[str, Told] = {
    "one_left_out": (ENROLMENT, with_field("created", 99), "volume.enroll: 'created' is not 100"),
    "other_students": (
        ENROLMENT,
        of_each("students", "email", "who@plimsoll.test"),
        "volume.enroll: 'students' are not those that were to be enrolled",
    ),
}
REPORTS: dict[str, Told] = {
    "no_job": (
        "POST /api/v1/reports/generate",
        without_field("jobId"),
        "volume.report_generate: 'jobId' is missing",
    ),
    "failed_job": (JOB, with_field("status", "failed"), "volume.report_job: the job failed"),
    "lost_job": (JOB, with_field("status", "lost"), "volume.report_job: 'status' is none of a job's"),
    "endless_job": (
        JOB,
        with_field("status", "running"),
        "volume.report_job: the job has not ended within 4 s",
    ),
    "done_with_nothing": (
        JOB,
        rewritten(lambda job: job | {"status": "done", "result": None}),
        "volume.report_job: 'result' is null, expected an object",
    ),
    "report_of_fewer": (
        JOB,
        of_result(lambda report: report | {"students": report["students"][1:]}),
        "volume.report_job: the report is not on the students that were asked for",
    ),
}
# task: lies about what it asks
GRAPHQL: dict[str, dict[str, Told]] = {
    "look_up_user": {
        "errors": (
            "POST /graphql",
            said(200, json.dumps({"data": None, "errors": [{"message": "timed out after 30 ms"}]}).encode()),
            "graphql.simple: errors: timed out after … ms",
        ),
        "cheaper": (
            "POST /graphql",
            with_field("extensions", {"complexity": 2}),
            "graphql.simple: 'complexity' is not 3",
        ),
        "free": ("POST /graphql", without_field("extensions"), "graphql.simple: 'extensions' is missing"),
        "other_user": (
            "POST /graphql",
            of_data(lambda data: data["user"].update(id="2")),
            "graphql.simple: 'id' is another user's",
        ),
        "no_object": (
            "POST /graphql",
            said(200, b"[]"),
            "graphql.simple: expected an object with 'extensions', got an array",
        ),
    },
    "look_at_dashboard": {
        "other_profile": (
            "POST /graphql",
            of_data(lambda data: data["studentDashboard"]["profile"].update(email="who@plimsoll.test")),
            "graphql.student_dashboard: 'email' is another user's",
        ),
        "no_future": (
            "POST /graphql",
            of_data(lambda data: data["studentDashboard"].update(upcoming=[])),
            "graphql.student_dashboard: 'upcoming' is empty",
        ),
        "more_than_all": (
            "POST /graphql",
            of_data(lambda data: data["studentDashboard"]["metrics"].update(percentage=101)),
            "graphql.student_dashboard: 'percentage' is outside 0–100",
        ),
        "too_recent": (
            "POST /graphql",
            of_data(lambda data: data["studentDashboard"].update(recentSessions=[{}] * 11)),
            "graphql.student_dashboard: got more than 10 in 'recentSessions'",
        ),
    },
    "explore": {
        "nothing_to_do": (
            "POST /graphql",
            of_data(lambda data: data["careerExploration"].update(careers=[])),
            "graphql.career_exploration: 'careers' is empty",
        ),
        "too_trendy": (
            "POST /graphql",
            of_data(lambda data: data["careerExploration"].update(trending=[{}] * 6)),
            "graphql.career_exploration: got more than 5 in 'trending'",
        ),
    },
    "read_discussion": {
        "anonymous": (
            "POST /graphql",
            of_data(lambda data: data["user"]["posts"][0]["comments"][0].update(author=None)),
            "graphql.nested: 'author' is null, expected an object",
        ),
        "too_talkative": (
            "POST /graphql",
            of_data(lambda data: data["user"].update(posts=data["user"]["posts"] * 2)),
            "graphql.nested: got more than 4 posts",
        ),
    },
    "analyse": {
        "wrong_mean": (
            "POST /graphql",
            of_data(lambda data: data["analytics"].update(commentsPerPost=4.5)),
            "graphql.analytics: 'commentsPerPost' is not comments by posts",
        ),
    },
    "read_all_posts": {
        "one_missing": (
            "POST /graphql",
            of_data(lambda data: data["users"].pop()),
            "graphql.posts_singly: got not 100 users",
        ),
        "three_posts": (
            "POST /graphql",
            of_data(lambda data: data["users"][5].update(posts=[{"title": "One"}] * 3)),
            "graphql.posts_singly: got more than 2 posts of a user",
        ),
        "other_batch": (
            "POST /graphql",
            every_other(of_data(lambda data: data["users"].reverse())),
            "graphql.posts_batched: with batching came other posts than without",
        ),
    },
}
FLOW, HEALTH = (
    "synthetic.login_flow at 'local' failed at step",
    "synthetic.api_health at 'local' failed at step",
)
SYNTHETIC_LOGINS: dict[str, Told] = {
    "no_page": (
        "GET /login",
        lambda reply: reply._replace(headers={"Content-Type": "application/json"}),
        f"{FLOW} 'navigate': header Content-Type does not say text/html",
    ),
    "closed": (LOGIN, said(503), f"{FLOW} 'login': got status 503, expected 200"),
    "few_careers": (POOL, THREE_CAREERS, f"{FLOW} 'select': got 3 careers, expected exactly 4"),
    "misjudged": (
        INTERACT,
        with_field("correct", value=False),
        f"{FLOW} 'activities': a right answer was judged otherwise",
    ),
}
SYNTHETIC_HEALTH: dict[str, Told] = {
    "slow": ("GET /health", late, f"{HEALTH} 'health': took over 3000 ms"),
    "turned_away": ("GET /health", said(503), f"{HEALTH} 'health': got status 503, expected 200"),
    "unwell": (
        "GET /health",
        with_field("status", "so-so"),
        f"{HEALTH} 'health': 'status' is neither healthy nor degraded",
    ),
    "silent": ("GET /api/v1/status", with_field("status", ""), f"{HEALTH} 'status': 'status' is empty"),
}
STOREFRONT: dict[str, Told] = {
    "everyone_is_admin": (
        "GET /api/admin/dashboard",
        never_refuses,
        "orders.admin_refused: got status 200, expected 403",
    ),
}
BORROWING: dict[str, Told] = {
    "sold_out": ("GET /api/products", with_field("data", []), "pool.borrow: 'data' is empty"),
}
POOL_STATES: dict[str, Told] = {
    "no_pool": ("GET /api/v1/status", without_field("pool"), "pool.status: 'pool' is missing"),
    "more_free_than_there_are": (
        "GET /api/v1/status",
        of_pool(available=11, size=10),
        "pool.status: 'available' is not within 'size'",
    ),
    "fewer_than_none_wait": (
        "GET /api/v1/status",
        of_pool(waiting=-1),
        "pool.status: 'waiting' is below 0",
    ),
}
LIES: list[tuple[type[ApiUser], str, dict[str, Told]]] = [
    (MorningUser, "arrive", MORNING),
    (ParentsUser, "spend_evening", PARENTS),
    (VolumeUser, "read_history", HISTORIES),
    (VolumeUser, "enrol_class", ENROLMENTS),
    (VolumeUser, "have_report_made", REPORTS),
    *((GraphqlQueriesUser, task, lies) for task, lies in GRAPHQL.items()),
    (SyntheticLoginUser, "play_and_tell", SYNTHETIC_LOGINS),
    (SyntheticHealthUser, "play_and_tell", SYNTHETIC_HEALTH),
    (StorefrontUser, "oversee", STOREFRONT),
    (PoolUser, "borrow", BORROWING),
    (PoolUser, "look_at_pool", POOL_STATES),
]


def test_every_lie_is_counted_with_its_text(
    start_liar: Callable[[dict[str, Lie]], str], tmp_path: Path
) -> None:
    """A wrong answer is a failure even with status 200, named, the only one, and it crashes no user."""
    told = {name: lie for _, _, lies in LIES for name, lie in lies.items()}
    liar_url = start_liar({name: Lie(route, tamper) for name, (route, tamper, _) in told.items()})
    users = [Hasty(journey, f"{liar_url}/{name}", task) for journey, task, lies in LIES for name in lies]

    errors = {failure for _, _, failure in told.values()}

    result = run_hastily(users, tmp_path, "120s", len(users), enough=errors)

    assert len(users) == len(told)
    assert set(result["errors"]) == errors
    assert result["exceptions"] == []


def test_batching_halves_the_time_that_users_wait(target_url: str, tmp_path: Path) -> None:
    """The median of 100 users' posts in one batch is at most half of that of a query for each user."""
    users = [Hasty(GraphqlQueriesUser, target_url, "read_all_posts")]

    medians_ms = run_hastily(users, tmp_path, run_time="4s", number=1)["medians_ms"]

    assert medians_ms["graphql.posts_batched"] <= medians_ms["graphql.posts_singly"] / 2
