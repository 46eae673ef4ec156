"""The journeys as real `locust` processes: faultless against the target, unforgiving against a liar."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from locustfiles.auth import AuthUser
from locustfiles.careers import CareersUser
from locustfiles.orders import OrdersUser
from locustfiles.school import MemberUser
from tests.fix_liar import (
    Lie,
    Reply,
    drops_the_connection,
    never_refuses,
    rewritten,
    said,
    with_field,
    without_field,
)
from tests.journeys import JOURNEYS, Hasty, run_hastily
from tests.processes import finish, start_locust

ROOT = Path(__file__).resolve().parents[2]
LOGIN = "POST /api/auth/login"
POOL = r"GET /api/v1/students/\d+/careers/pool"
ORDER = r"GET /api/orders/\d+"


def test_each_journey_runs_alone_without_a_failure(target_url: str, tmp_path: Path) -> None:
    """Plain `locust -f` works at the root and elsewhere; against the bundled service nothing fails."""
    outputs: dict[str, str] = {}
    # Synthetic checks fail by their time, which a machine that starts ten processes at once has not got.
    for names in (JOURNEYS.keys() - {"synthetic"}, {"synthetic"}):
        processes = {name: start_alone(name, target_url, tmp_path) for name in names}
        outputs |= {name: finish(process) for name, process in processes.items()}

    for name, user_classes in JOURNEYS.items():
        entries = json.loads((tmp_path / f"{name}-stats.json").read_text(encoding="utf-8"))
        assert entries, outputs[name]
        assert sum(entry["num_failures"] for entry in entries) == 0, outputs[name]
        assert {entry["name"] for entry in entries} <= set().union(
            *(user_class.request_names for user_class in user_classes)
        )


def start_alone(name: str, target_url: str, folder: Path) -> subprocess.Popen[str]:
    """Start a journey for 4 s, every other one from elsewhere than the root."""
    options = ["--headless", "-u", "5", "-t", "4s", "-H", target_url, "--run-dir", str(folder / name)]
    arguments = [*options, "--json-file", str(folder / f"{name}-stats")]
    started_in = ROOT if list(JOURNEYS).index(name) % 2 else folder
    locustfile = Path("locustfiles" if started_in == ROOT else ROOT / "locustfiles", f"{name}.py")
    return start_locust(["-f", str(locustfile), *arguments], started_in)


def test_every_declared_request_is_sent_and_right(target_url: str, tmp_path: Path) -> None:
    """Without think time, the journeys make every request and transaction they declare; all is right."""
    journeys = [journey for of_file in JOURNEYS.values() for journey in of_file]
    users = [Hasty(journey, target_url) for journey in journeys]

    requests = set().union(*(journey.request_names for journey in journeys))
    declared = {name for journey in journeys for name in journey.transaction_names or ()}

    result = run_hastily(users, tmp_path, "120s", number=30, enough=requests | declared)

    assert result["errors"] == []
    assert result["exceptions"] == []
    assert set(result["requests"]) == requests
    (verdict,) = tmp_path.glob("results/*/verdict.json")
    made = {each["name"] for each in json.loads(verdict.read_text(encoding="utf-8"))["transactions"]}
    assert made == declared


def first_pool_again() -> Callable[[Reply], Reply]:
    """Return a tamper that offers each time what it offered first, so also what was chosen since."""
    first: list[Reply] = []

    def tamper(reply: Reply) -> Reply:
        first.append(reply)
        return first[0]

    return tamper


# name: (journey, task, lie, the failure it must be counted as)
LIES: dict[str, tuple[type[MemberUser], str, Lie, str]] = {
    "empty_token": (AuthUser, "log_in", Lie(LOGIN, with_field("token", "")), "auth.login: 'token' is empty"),
    "no_role": (AuthUser, "log_in", Lie(LOGIN, without_field("role")), "auth.login: 'role' is missing"),
    "no_logins": (
        CareersUser,
        "analyse",
        Lie(LOGIN, said(500)),
        "auth.login: got status 500, expected 200",
    ),
    "any_password": (
        AuthUser,
        "log_in",
        Lie(LOGIN, never_refuses),
        "auth.login_wrong_password: got status 200, expected 401",
    ),
    "no_token_needed": (
        AuthUser,
        "come_without_token",
        Lie("GET /api/users/profile", never_refuses),
        "auth.no_token: got status 200, expected 401",
    ),
    "email_taken_twice": (
        AuthUser,
        "register",
        Lie("POST /api/auth/register", said(201)),
        "auth.register_taken: got status 201, expected 409",
    ),
    "three_careers": (
        CareersUser,
        "learn",
        Lie(POOL, rewritten(lambda body: {"careers": body["careers"][:3]})),
        "careers.pool: got 3 careers, expected exactly 4",
    ),
    "career_twice": (
        CareersUser,
        "learn",
        Lie(POOL, rewritten(lambda body: {"careers": body["careers"][:1] * 4})),
        "careers.pool: got the same career more than once",
    ),
    "chosen_again": (
        CareersUser,
        "learn",
        Lie(POOL, first_pool_again()),
        "careers.pool: got a career that was chosen in the last 5 days",
    ),
    "careers_by_name": (
        CareersUser,
        "learn",
        Lie(POOL, with_field("careers", {})),
        "careers.pool: 'careers' is an object, expected an array",
    ),
    "dropped_selection": (
        CareersUser,
        "learn",
        Lie(r"POST /api/v1/students/\d+/careers/select", drops_the_connection),
        "careers.select: the server closed the connection before the headers were complete",
    ),
    "cut_json": (
        CareersUser,
        "learn",
        Lie(r"GET /api/v1/sessions/\d+/content", said(200, b'{"learn": [')),
        "careers.content: the body is not JSON",
    ),
    "no_experience": (
        CareersUser,
        "learn",
        Lie(r"GET /api/v1/sessions/\d+/content", with_field("experience", [])),
        "careers.content: 'experience' is empty",
    ),
    "all_wrong": (
        CareersUser,
        "learn",
        Lie(r"POST /api/v1/sessions/\d+/interact", with_field("correct", value=False)),
        "careers.interact: a right answer was judged otherwise",
    ),
    "over_the_moon": (
        CareersUser,
        "learn",
        Lie(r"GET /api/v1/students/\d+/flow-state", with_field("percentage", 140)),
        "careers.flow_state: 'percentage' is outside 0–100",
    ),
    "not_a_number": (
        CareersUser,
        "learn",
        Lie(r"GET /api/v1/students/\d+/flow-state", with_field("percentage", float("nan"))),
        "careers.flow_state: 'percentage' is outside 0–100",
    ),
    "no_cache_header": (
        CareersUser,
        "look_at_trends",
        Lie("GET /api/v1/careers/trending", lambda reply: reply._replace(headers={})),
        "careers.trending: header X-Cache says neither HIT nor MISS",
    ),
    "cut_body": (
        CareersUser,
        "look_at_dashboard",
        Lie("GET /api/v1/students/dashboard", lambda reply: reply._replace(missing_bytes=1)),
        "careers.dashboard: the server closed the connection before the body was complete",
    ),
    "someone_else": (
        CareersUser,
        "analyse",
        Lie("POST /api/v1/pathiq/analyze", with_field("studentId", 0)),
        "careers.pathiq: 'studentId' is another student's",
    ),
    "leaking": (
        CareersUser,
        "learn",
        Lie("GET /api/v1/metrics/memory", rewritten(lambda body: body | {"heapUsed": body["heapTotal"] + 1})),
        "careers.memory: 'heapUsed' is not within 'heapTotal'",
    ),
    "breaker_open": (
        CareersUser,
        "check_health",
        Lie("GET /api/v1/health", said(503)),
        "careers.health: breaker open (503)",
    ),
    "down": (
        CareersUser,
        "check_health",
        Lie("GET /api/v1/health", drops_the_connection),
        "careers.health: down (no answer)",
    ),
    "rate_limited": (
        CareersUser,
        "check_health",
        Lie("GET /api/v1/health", said(429)),
        "careers.health: rate limited (429)",
    ),
    "sold_out": (
        OrdersUser,
        "browse",
        Lie("GET /api/products", with_field("data", [])),
        "orders.products: 'data' is empty",
    ),
    "dearer": (
        OrdersUser,
        "browse",
        Lie(r"GET /api/products/\d+", with_field("price", 1e6)),
        "orders.product: the product differs from the listed one",
    ),
    "free_of_charge": (
        OrdersUser,
        "order",
        Lie(ORDER, with_field("total", 0)),
        "orders.get: 'total' is not the sum of the items",
    ),
    "still_pending": (
        OrdersUser,
        "order",
        Lie(r"POST /api/orders/\d+/confirm", with_field("status", "pending")),
        "orders.confirm: 'status' is not confirmed",
    ),
    "confirmed_twice": (
        OrdersUser,
        "order",
        Lie(r"POST /api/orders/\d+/confirm", never_refuses),
        "orders.move_refused: got status 200, expected 409",
    ),
    "name_kept": (
        OrdersUser,
        "keep_profile",
        Lie("PUT /api/users/profile", with_field("name", "as before")),
        "orders.profile_update: 'name' is not the new one",
    ),
    "everyone_is_admin": (
        OrdersUser,
        "administer",
        Lie("GET /api/admin/analytics", never_refuses),
        "orders.admin_refused: got status 200, expected 403",
    ),
}


def test_every_lie_is_counted_with_its_text(
    start_liar: Callable[[dict[str, Lie]], str], tmp_path: Path
) -> None:
    """A wrong answer is a failure even with status 200, named, the only one, and it crashes no user."""
    liar_url = start_liar({name: lie for name, (_, _, lie, _) in LIES.items()})
    users = [Hasty(journey, f"{liar_url}/{name}", task) for name, (journey, task, _, _) in LIES.items()]
    errors = {failure for _, _, _, failure in LIES.values()}

    result = run_hastily(users, tmp_path, "120s", len(users), enough=errors)

    assert set(result["errors"]) == errors
    assert result["exceptions"] == []
