"""The one browser of this Locust process, in a process of its own that all its users share."""

from __future__ import annotations

import gevent
from gevent import subprocess
from gevent.event import AsyncResult
from gevent.lock import Semaphore

import importlib.util
import json
import os
import shutil
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

SUITE_FOLDER = Path(__file__).resolve().parents[2]
EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STOP_LIMIT_S = 5.0


class BrowserFailure(Exception):  # noqa: N818 - a failure is named after what happened
    """The browser could not do what was asked."""


def missing_parts() -> list[str]:
    """Return what a browser journey lacks on this machine, one fault a line."""
    faults = []
    if importlib.util.find_spec("playwright") is None:
        faults.append("browser journeys need Playwright: pip install 'plimsoll[browser]'")
    if find_chromium() is None:
        faults.append(f"browser journeys need Chromium: none of {', '.join(EXECUTABLES)} is installed")
    return faults


def find_chromium() -> str | None:
    """Return where Chromium is."""
    return next(filter(None, map(shutil.which, EXECUTABLES)), None)


class BrowserProcess:
    """A browser that answers orders; started by the first, and again after it has died."""

    def __init__(self) -> None:
        self._process: Any = None
        self._replies: dict[int, AsyncResult[Any]] = {}
        self._numbers = count(1)
        self._starting = Semaphore()
        self.cpu_s = 0.0
        """CPU time that the browser has used so far, its helper included; one that is started begins at 0."""

    def open_tab(self, base_url: str, timeout_s: float) -> Tab:
        """Open a tab; raises BrowserFailure."""
        with self._starting:
            if self._process is None:
                self._start()
        tab = Tab(self, self._process, next(self._numbers), timeout_s)
        tab.do("open", base_url, timeout_s)
        return tab

    def order(self, process: Any, tab: int, verb: str, arguments: tuple[Any, ...], timeout_s: float) -> Any:
        """Have something done in a tab of that process; raises BrowserFailure."""
        if process is not self._process:
            raise BrowserFailure("the browser has ended")
        number = next(self._numbers)
        reply = self._replies[number] = AsyncResult()
        try:
            self.send(process, number, tab, verb, arguments)
            with gevent.Timeout(timeout_s, BrowserFailure("the browser did not answer in time")):
                return reply.get()
        finally:
            del self._replies[number]

    def send(self, process: Any, number: int, tab: int, verb: str, arguments: tuple[Any, ...]) -> None:
        """Send an order, whose answer has its number; raises BrowserFailure."""
        order = {"id": number, "tab": tab, "do": verb, "arguments": arguments}
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        except (OSError, ValueError):  # ended, or closed by us
            raise BrowserFailure("the browser has ended") from None

    def stop(self) -> None:
        """End the browser, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        process.stdin.close()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()

    def _start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        # In a session of its own, because Ctrl-C is for Locust, which has things to do in the browser yet.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "plimsoll.users.browser_helper", find_chromium() or EXECUTABLES[0]],
            cwd=SUITE_FOLDER,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        gevent.spawn(self._read, self._process)

    def _read(self, process: Any) -> None:
        for line in process.stdout:
            answer = json.loads(line)
            if "cpu_s" in answer:
                self.cpu_s = answer["cpu_s"]
                continue
            reply = self._replies.get(answer["id"])
            if reply is None:  # its order has timed out
                continue
            if "error" in answer:
                reply.set_exception(BrowserFailure(answer["error"]))
            else:
                reply.set(answer["value"])
        if process is self._process:
            self._process = None
        for reply in self._replies.values():
            reply.set_exception(BrowserFailure("the browser has ended"))


class Tab:
    """A tab with cookies and a cache of its own."""

    def __init__(self, browser: BrowserProcess, process: Any, number: int, timeout_s: float) -> None:
        self._browser, self._process, self._number = browser, process, number
        self._timeout_s = timeout_s

    def do(self, verb: str, *arguments: Any) -> Any:
        """Have something done, and return what comes of it; raises BrowserFailure."""
        # The browser's own limit comes first, and says more.
        limit_s = 2 * self._timeout_s
        return self._browser.order(self._process, self._number, verb, arguments, limit_s)

    def close(self) -> None:
        """Close the tab without waiting for it, and without its last report."""
        with suppress(BrowserFailure):
            self._browser.send(self._process, 0, self._number, "drop", ())


BROWSER = BrowserProcess()
