"""Students and parents in a real Chromium: log in, then choose a career or read a report.

Students choose a career and answer three questions, parents look at their children and read a report on one.
A right answer is a page that shows what it is to show, and keeps its budgets. `pages.career_selected` is the
time from asking for the careers on the dashboard to the chosen one being shown.
"""

from __future__ import annotations

from locust import between, task

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.school import PARENTS, STUDENTS, MemberUser
from plimsoll import BrowserUser, Step, page_metric_names, page_request_names, record_run

record_run()

STUDENT_PAGES = ("pages.login", "pages.dashboard", "pages.careers", "pages.session")
PARENT_PAGES = ("pages.login", "pages.parents", "pages.report")
QUESTIONS = 3
THINK_TIME_S = (0.5, 1.5)
PAGE_S = 0.5  # what a browser takes, of one core, until a page is there
LOGIN_PATH = "/login"
JUDGED = "[data-result=right], [data-result=wrong]"  # one that was not stored is marked, too


def visit(page: str) -> tuple[Step, ...]:
    """Return what a visit of a page takes and makes."""
    return PAGE_S, *sorted(page_request_names([page])), *sorted(page_metric_names([page]))


class PagesVisitor(MemberUser, BrowserUser):
    """Somebody with a fresh browser each time: nothing is in its cache."""

    abstract = True
    wait_time = between(1, 3)
    budgets_bytes: ClassVar[Mapping[str, int]] = {
        "script": 200_000,
        "style": 50_000,
        "image": 500_000,
        "font": 100_000,
        "total": 1_000_000,
    }

    def log_in(self, home: str, wait_for: str) -> None:
        """Come to one's first page by the login, and look at it."""
        self.goto("pages.login", LOGIN_PATH, "[data-page=login]")
        self.fill("#email", self.credentials.email)
        self.fill("#password", self.credentials.password)
        self.click("#login", wait_for, page=home)
        self.pause(*THINK_TIME_S)


class PagesUser(PagesVisitor):
    """A student: choose a career and answer three questions (3 of 4 users)."""

    weight = 3
    accounts = STUDENTS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {"pages.career_selected"} | page_request_names(STUDENT_PAGES)
    )
    metric_names: ClassVar[frozenset[str] | None] = frozenset(page_metric_names(STUDENT_PAGES))

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "choose_a_career": (
            *(*visit("pages.login"), *visit("pages.dashboard"), THINK_TIME_S),
            *(*visit("pages.careers"), *visit("pages.session"), "pages.career_selected"),
            *(QUESTIONS * (THINK_TIME_S,)),
        )
    }

    @task
    def choose_a_career(self) -> None:
        """Go from the login to three answered questions."""
        self.log_in("pages.dashboard", "[data-page=dashboard]")
        with self.timed("pages.career_selected"):
            self.click("#choose", "[data-page=careers]", page="pages.careers")
            self.click("[data-career='0']", "#selected-career", page="pages.session")
        for number in range(QUESTIONS):
            self.pause(*THINK_TIME_S)
            question = f"[data-question='{number}']"
            self.click(f"{question} button >> nth=0", f"{question}:is({JUDGED})")
        self.leave()


class ParentPagesUser(PagesVisitor):
    """A parent: look at the children and read a report on the first (1 of 4 users)."""

    accounts = PARENTS
    request_names: ClassVar[frozenset[str]] = frozenset(page_request_names(PARENT_PAGES))
    metric_names: ClassVar[frozenset[str] | None] = frozenset(page_metric_names(PARENT_PAGES))

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "read_a_report": (
            *(*visit("pages.login"), *visit("pages.parents"), THINK_TIME_S),
            *(*visit("pages.report"), THINK_TIME_S),
        )
    }

    @task
    def read_a_report(self) -> None:
        """Go from the login over the children to a report on the first of them."""
        self.log_in("pages.parents", "[data-page=parents] [data-child]")
        self.click("[data-report='0']", "#report", page="pages.report")
        self.pause(*THINK_TIME_S)
        self.leave()
