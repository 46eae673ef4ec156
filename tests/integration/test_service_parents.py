"""What parents see in the bundled service."""

from collections.abc import Iterator

import pytest

from tests.fix_bundled_service import Visitor


@pytest.fixture
def parent(service_url: str) -> Iterator[Visitor]:
    """Log in as the parent of the students 1 and 2."""
    visitor = Visitor(service_url, "parent-000001@plimsoll.test")
    with visitor.client:
        yield visitor


def test_every_promised_parent_exists(service_url: str) -> None:
    """The small data set has 500 parents; the last one has the last two students."""
    last = Visitor(service_url, "parent-000500@plimsoll.test")
    with last.client as client:
        children = client.get("/api/v1/parents/dashboard").json()["children"]

    assert last.student_id is None
    assert [child["studentId"] for child in children] == [999, 1000]


def test_dashboard_shows_the_children(parent: Visitor, admin: Visitor) -> None:
    """Each child comes with its newest sessions and the flow that its own page shows."""
    dashboard = parent.client.get("/api/v1/parents/dashboard").json()

    assert [child["studentId"] for child in dashboard["children"]] == [1, 2]
    for child in dashboard["children"]:
        flow = admin.client.get(f"/api/v1/students/{child['studentId']}/flow-state").json()
        assert (child["percentage"], child["answers"]) == (flow["percentage"], flow["answers"])
        assert 1 <= len(child["recentSessions"]) <= 5


def test_report_covers_the_days_asked_for(parent: Visitor) -> None:
    """The second child chose four times in the last year; over a day long past it chose nothing."""
    body = {"studentId": 2}
    year = parent.client.post("/api/v1/parents/reports", json=body).json()
    past = {"firstDay": "2020-01-01", "lastDay": "2020-01-01"}
    nothing = parent.client.post("/api/v1/parents/reports", json=body | past).json()

    assert [student["selections"] for student in year["students"]] == [4]
    assert sum(month["selections"] for month in year["months"]) == 4
    assert (nothing["from"], nothing["to"], nothing["months"]) == ("2020-01-01", "2020-01-01", [])
    assert [student["selections"] for student in nothing["students"]] == [0]


def test_parents_see_their_own_children_only(parent: Visitor) -> None:
    """Another's child, and every student's page, are 403."""
    answers = [
        parent.client.post("/api/v1/parents/reports", json={"studentId": 3}),
        parent.client.get("/api/v1/students/1/flow-state"),
        parent.client.get("/api/v1/students/dashboard"),
    ]

    assert [answer.status_code for answer in answers] == [403] * len(answers)


def test_nobody_else_is_a_parent(student: Visitor, admin: Visitor) -> None:
    """Students and admins have no children here."""
    assert student.client.get("/api/v1/parents/dashboard").status_code == 403
    assert admin.client.post("/api/v1/parents/reports", json={"studentId": 1}).status_code == 403
