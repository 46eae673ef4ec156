"""A user in a real Chromium, who measures the pages as its visitors feel them.

A page named `pages.login` makes requests `pages.login`, of type PAGE: the time to the end of its load event;
and, of type VITAL, when it is left: `pages.login.ttfb`, `.fcp`, `.lcp`, `.inp`, `.tti`, each where the page
came to it, in ms; and `.weight`, when all its bytes had come, a failure where a kind weighs over budget. The
trends `pages.login.cls`, `.script_bytes`, `.style_bytes`, `.image_bytes`, `.font_bytes` and `.total_bytes`
have what is no time. Vitals are those of web-vitals, TTI that of Lighthouse.
"""

from __future__ import annotations

from locust import events
from locust.env import Environment
from locust.exception import RescheduleTask, StopTest
from locust.runners import MasterRunner

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.terminal import refuse
from plimsoll.users.api import ApiUser
from plimsoll.users.browser_process import BROWSER, BrowserFailure, Tab, missing_parts
from plimsoll.users.vitals import KINDS, over_budget, read_vitals

PAGE, VITAL = "PAGE", "VITAL"
TIMES = ("ttfb", "fcp", "lcp", "inp", "tti")
_FIRST_ERROR_STATUS = 400


class WrongPageError(Exception):
    """A page came, but not a right one; the text goes into the failure."""


def page_request_names(pages: Iterable[str]) -> set[str]:
    """Return the names of all requests that visits of these pages make."""
    return {f"{page}{part}" for page in pages for part in ("", ".weight", *(f".{vital}" for vital in TIMES))}


def page_metric_names(pages: Iterable[str]) -> set[str]:
    """Return the names of all metrics that visits of these pages make."""
    weights = [f"{kind}_bytes" for kind in (*KINDS.values(), "total")]
    return {f"{page}.{metric}" for page in pages for metric in ("cls", *weights)}


class BrowserUser(ApiUser):
    """A user with a tab of its own, whose cookies and cache last from `goto` to `leave`.

    What goes wrong is counted as a failure of the page, and ends the iteration.
    """

    abstract = True

    page_timeout: float = 30.0
    """The longest time for a page to come and to show what it is to show, in s."""

    budgets_bytes: ClassVar[Mapping[str, int]] = {}
    """What a page may weigh: script, style, image, font and total, in bytes."""

    _tab: Tab | None = None
    _page: str = ""

    @staticmethod
    def child_cpu_s() -> float:
        """Return the CPU time that the browser of this process has used so far, in s."""
        return BROWSER.cpu_s

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if faults := missing_parts():
            raise StopTest(f"{type(self).__name__}: {'; '.join(faults)}")

    def goto(self, page: str, path: str, wait_for: str) -> None:
        """Go to the page of a path, and wait for what a selector names to be shown; raises RescheduleTask."""
        if self._tab is None:
            with self._counted(page):
                self._tab = BROWSER.open_tab(str(self.host), self.page_timeout)
        self._arrive(page, "goto", path, wait_for)

    def click(self, selector: str, wait_for: str, page: str | None = None) -> None:
        """Click, and wait for what that shows; with *page*, the click leads to it; raises RescheduleTask."""
        if page is not None:
            self._arrive(page, "click_to_page", selector, wait_for)
            return
        with self._counted(self._page):
            self._open_tab().do("click", selector, wait_for)

    def fill(self, selector: str, text: str) -> None:
        """Type into a field of the page, key by key as a person does; raises RescheduleTask."""
        with self._counted(self._page):
            self._open_tab().do("fill", selector, text)

    def leave(self) -> None:
        """Close the tab, and report on its last page; raises RescheduleTask."""
        with self._counted(self._page):
            report = self._open_tab().do("leave")
        self._tab = None
        self._report_left(report)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Report how long a with-block takes as a request of type PAGE, if all goes well in it."""
        started_s, start = time.time(), time.perf_counter()
        yield
        self.report_request(PAGE, name, (time.perf_counter() - start) * 1000, started_s)

    def on_stop(self) -> None:
        """Close the tab."""
        self._drop_tab()

    def _open_tab(self) -> Tab:
        if self._tab is None:
            raise BrowserFailure("no page was visited before")
        return self._tab

    def _arrive(self, page: str, verb: str, where: str, wait_for: str) -> None:
        tracker = type(self).request_tracker
        with self._counted(page), tracker(PAGE, page) if tracker else nullcontext():
            arrival = self._open_tab().do(verb, where, wait_for)
            if arrival["status"] >= _FIRST_ERROR_STATUS:
                raise WrongPageError(f"got status {arrival['status']}")
        started_s = time.time() - arrival["load_ms"] / 1000
        self._report_left(arrival["left"])
        self._page = page
        self.report_request(PAGE, page, arrival["load_ms"], started_s)

    @contextmanager
    def _counted(self, page: str) -> Iterator[None]:
        """Count what goes wrong in the with-block as a failure of the page."""
        try:
            yield
        except (BrowserFailure, WrongPageError) as failure:
            self.report_request(PAGE, page, None, time.time(), exception=failure.with_traceback(None))
            self._drop_tab()
            raise RescheduleTask from None

    def _drop_tab(self) -> None:
        tab, self._tab = self._tab, None
        if tab is not None:
            tab.close()

    def _report_left(self, report: Mapping[str, Any] | None) -> None:
        if report is None:
            return
        vitals, page = read_vitals(report), self._page
        left_s = time.time()
        for name in TIMES:
            duration_ms = getattr(vitals, f"{name}_ms")
            if duration_ms is not None:
                self.report_request(VITAL, f"{page}.{name}", duration_ms, left_s - duration_ms / 1000)
        self.observe(f"{page}.cls", vitals.cls)
        for kind, size_bytes in vitals.weights_bytes.items():
            self.observe(f"{page}.{kind}_bytes", size_bytes)
        excess = over_budget(vitals.weights_bytes, self.budgets_bytes)
        fault = WrongPageError(f"over budget: {', '.join(excess)}") if excess else None
        asked_s = time.time() - vitals.weight_ms / 1000
        self.report_request(
            VITAL, f"{page}.weight", vitals.weight_ms, asked_s, vitals.weights_bytes["total"], fault
        )


def _refuse_without_browser(environment: Environment, **_: Any) -> None:
    journeys = [user_class for user_class in environment.user_classes if issubclass(user_class, BrowserUser)]
    options: Any = environment.parsed_options
    # In the web UI no journey has been picked yet; the users of a master are on other machines.
    starts_by_itself = options is not None and (options.headless or options.autostart)
    if not journeys or not starts_by_itself or isinstance(environment.runner, MasterRunner):
        return
    if faults := missing_parts():
        refuse(ExitStatus.BAD_CONFIGURATION, faults)


events.init.add_listener(_refuse_without_browser)
events.quit.add_listener(lambda **_: BROWSER.stop())
