"""A real Chromium for tests that look at pages as a user does."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a sandbox, because CI runs as root in a container; the pages are our own.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a headless Chromium; without one the test is skipped, in CI it fails.

    One per module: while it lives, Playwright keeps an event loop running that other modules must not meet.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = f"none of {', '.join(NAMES)} is installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()
