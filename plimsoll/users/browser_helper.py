"""A process with a Chromium in it that takes orders as lines of JSON.

Started as `python -m plimsoll.users.browser_helper PATH`.

Playwright waits in asyncio, Locust in gevent, which do not mix in one process. A line in is `{"id", "tab",
"do", "arguments"}`, a line out `{"id", "value"}` or `{"id", "error"}`, in whatever order they are done, and
`{"cpu_s"}` once a second, what all of this has used so far. Each tab is a browser context with its own
cookies and cache. The end of standard input ends the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import defaultdict
from contextlib import suppress
from typing import Any

import psutil
from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Page,
    async_playwright,
)
from playwright.async_api import TimeoutError as BrowserTimeout

from plimsoll.users.vitals import BINDING, COLLECT, SCRIPT, SETTLE

# A page that is left is gone, as its vitals are reported when it is left.
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-features=BackForwardCache",
]
LINE_BYTES = 1024 * 1024
CPU_INTERVAL_S = 1.0
FIRST_ERROR_STATUS = 400
_NETWORK_ERROR = re.compile(r"net::(ERR_[A-Z_]+)")


class TabClosedError(Exception):
    """There is no such tab any more."""


class Tab:
    """One user's browser context with one page; views of pages are followed from arrival to departure."""

    def __init__(self, context: BrowserContext, page: Page, session: CDPSession) -> None:
        self._context, self._page, self._session = context, page, session
        self._inps: dict[str, float] = {}
        self._loads: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._loader: dict[str, str] = {}  # by request
        self._current_loader = ""

    @staticmethod
    async def open(browser: Browser, base_url: str, timeout_s: float) -> Tab:
        """Open a tab whose paths are those of a base URL."""
        context = await browser.new_context(base_url=base_url)
        context.set_default_timeout(timeout_s * 1000)
        await context.add_init_script(SCRIPT)
        page = await context.new_page()
        tab = Tab(context, page, await context.new_cdp_session(page))
        await tab._follow()
        return tab

    async def _follow(self) -> None:
        """Follow what the page loads, which page it is, and what its script calls out."""

        def on_interaction(event: dict[str, Any]) -> None:
            if event["name"] == BINDING:
                interaction = json.loads(event["payload"])
                self._inps[interaction["id"]] = interaction["inp"]

        def on_request(event: dict[str, Any]) -> None:
            self._loader[event["requestId"]] = event["loaderId"]
            load = {"url": event["request"]["url"], "kind": event.get("type", "Other"), "bytes": 0}
            self._loads[event["loaderId"]][event["requestId"]] = load

        def on_loaded(event: dict[str, Any]) -> None:
            loader = self._loader.pop(event["requestId"], "")
            load = self._loads[loader].get(event["requestId"])
            if load is not None:  # else its page has been left before it came
                load["bytes"] = event["encodedDataLength"]

        def on_navigated(event: dict[str, Any]) -> None:
            if "parentId" not in event["frame"]:
                self._current_loader = event["frame"]["loaderId"]

        self._session.on("Runtime.bindingCalled", on_interaction)
        self._session.on("Network.requestWillBeSent", on_request)
        self._session.on("Network.loadingFinished", on_loaded)
        self._session.on("Page.frameNavigated", on_navigated)
        for domain in ("Runtime", "Network", "Page"):
            await self._session.send(f"{domain}.enable")
        await self._session.send("Runtime.addBinding", {"name": BINDING})

    async def goto(self, path: str, wait_for: str) -> Any:
        """Go to a path; return the page that is left, if any, and how the new one came.

        A page with an error's status is not waited for to show anything.
        """
        return await self._lead(self._page.goto(path, wait_until="commit"), wait_for)

    async def click_to_page(self, selector: str, wait_for: str) -> Any:
        """Click on what leads to another page; return the page that is left, and how the new one came."""
        return await self._lead(self._page.click(selector, no_wait_after=True), wait_for)

    async def _lead(self, act: Any, wait_for: str) -> Any:
        left = await self._collect()
        async with self._page.expect_navigation(wait_until="load") as navigation:
            await act
        response = await navigation.value
        if response.status < FIRST_ERROR_STATUS:
            await self._page.locator(wait_for).first.wait_for()
        arrival = await self._page.evaluate(SETTLE)
        if left is not None:  # by now it has reported the click that led here, if painted
            left["inp"] = self._inps.pop(left["id"], left["inp"])
        return {"left": left, "status": response.status, "load_ms": arrival}

    async def _collect(self) -> dict[str, Any] | None:
        """Return what the present page has seen, with what was loaded for it; None where there is no page."""
        report: dict[str, Any] | None = await self._page.evaluate(COLLECT)
        if report is None:
            return None
        return {**report, "loads": list(self._loads.pop(self._current_loader, {}).values())}

    async def fill(self, selector: str, text: str) -> None:
        """Click into a field and type, key by key."""
        field = self._page.locator(selector)
        await field.click()
        await field.press_sequentially(text)

    async def click(self, selector: str, wait_for: str) -> None:
        """Click on something, and wait for what that shows to be on the screen."""
        await self._page.click(selector)
        await self._page.locator(wait_for).first.wait_for()
        await self._page.evaluate(SETTLE)

    async def leave(self) -> Any:
        """Close the tab; return the page that is left, if any."""
        try:
            return await self._collect()
        finally:
            await self.drop()

    async def drop(self) -> None:
        """Close the tab."""
        await self._context.close()


class Helper:
    """Does what lines ask for, each in a task of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._tabs: dict[int, Tab] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, lines: asyncio.StreamReader) -> None:
        """Serve until the lines end."""

        async def tell_cpu() -> None:
            # Here, as Locust's event loop would be late by the look through all processes.
            while True:
                _say({"cpu_s": used_cpu_s()})
                await asyncio.sleep(CPU_INTERVAL_S)

        telling = asyncio.create_task(tell_cpu())
        while line := await lines.readline():
            task = asyncio.create_task(self._answer(json.loads(line)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        telling.cancel()

    async def _answer(self, order: dict[str, Any]) -> None:
        try:
            number, verb, value = order["tab"], order["do"], None
            if verb == "open":
                self._tabs[number] = await Tab.open(self._browser, *order["arguments"])
            elif number not in self._tabs:
                raise TabClosedError  # noqa: TRY301 - as what a tab may raise
            else:
                tab = self._tabs.pop(number) if verb in {"leave", "drop"} else self._tabs[number]
                value = await getattr(tab, verb)(*order["arguments"])
            answer = {"id": order["id"], "value": value}
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer to the order
            answer = {"id": order["id"], "error": reason_of(error)}
        _say(answer)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def used_cpu_s() -> float:
    """Return the CPU time of this process and all below it, with those of them that have ended, in s."""
    this = psutil.Process()
    used_s = 0.0
    for process in (this, *this.children(recursive=True)):
        with suppress(psutil.Error):  # it has ended meanwhile
            times = process.cpu_times()
            used_s += times.user + times.system + times.children_user + times.children_system
    return used_s


def reason_of(error: Exception) -> str:
    """Say what went wrong in a text that is the same for equal faults, without addresses and calls."""
    if isinstance(error, BrowserTimeout):
        return "the page was not there, or did not show what it should, in time"
    if found := _NETWORK_ERROR.search(str(error)):
        return f"the browser could not load the page: {found[1]}"
    if isinstance(error, TabClosedError):
        return "the tab is closed"
    return "the browser gave up on the page"


async def main(executable: str) -> None:
    """Start the browser, say so by an empty line, and serve standard input."""
    lines = asyncio.StreamReader(limit=LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=ARGUMENTS, chromium_sandbox=os.geteuid() != 0
        )
        await Helper(browser).serve(lines)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
