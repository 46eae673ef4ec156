"""Students in a real Chromium: they log in, choose a career and answer three questions.

A right answer is a page that shows what it is to show, and keeps its budgets. `pages.career_selected` is the
time from asking for the careers on the dashboard to the chosen one being shown.
"""

from __future__ import annotations

from locust import between, task

from collections.abc import Mapping
from typing import ClassVar

from clients.browser import BrowserUser, page_metric_names, page_request_names, require_browser
from clients.rosters import STUDENTS
from telemetry.switch import record_run

record_run()
require_browser()

PAGES = ("pages.login", "pages.dashboard", "pages.careers", "pages.session")
QUESTIONS = 3
THINK_TIME_S = (0.5, 1.5)
LOGIN_PATH = "/login"


class PagesUser(BrowserUser):
    """A student with a fresh browser each time: nothing is in its cache."""

    wait_time = between(1, 3)
    roster = STUDENTS
    request_names: ClassVar[frozenset[str]] = frozenset({"pages.career_selected"} | page_request_names(PAGES))
    metric_names: ClassVar[frozenset[str] | None] = frozenset(page_metric_names(PAGES))
    budgets_bytes: ClassVar[Mapping[str, int]] = {
        "script": 200_000,
        "style": 50_000,
        "image": 500_000,
        "font": 100_000,
        "total": 1_000_000,
    }

    @task
    def choose_a_career(self) -> None:
        """Go from the login to three answered questions."""
        self.visit("pages.login", LOGIN_PATH, "[data-page=login]")
        self.type_into("#email", self.credentials.email)
        self.type_into("#password", self.credentials.password)
        self.follow("pages.dashboard", "#login", "[data-page=dashboard]")
        self.pause(*THINK_TIME_S)
        with self.timed("pages.career_selected"):
            self.follow("pages.careers", "#choose", "[data-page=careers]")
            self.follow("pages.session", "[data-career='0']", "#selected-career")
        for number in range(QUESTIONS):
            self.pause(*THINK_TIME_S)
            question = f"[data-question='{number}']"
            self.press(f"{question} button >> nth=0", f"{question}[data-result]")
        self.leave()
