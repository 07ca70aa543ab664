"""Pages in the Chromium that the machine has, by Playwright, for the tests that look at one."""

import contextlib
import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Returns the path of a Chromium, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


needs_chromium = pytest.mark.skipif(
    not find_chromium(), reason="no Chromium here: apt-get install chromium, or CHROMIUM=its path"
)


@contextlib.contextmanager
def open_page(url: str, width: int = 1280, dark: bool = False):
    """Opens a page in a headless Chromium.

    Gives Playwright's page, which has loaded, with two lists besides: `requests`, the URLs that it asked for, and
    `errors`, what went wrong on it, as texts.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run as root.
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if dark else "light",
                is_mobile=width < 600,
            )
            page.requests, page.errors = [], []
            page.on("request", lambda request: page.requests.append(request.url))
            page.on("requestfailed", lambda request: page.errors.append(f"{request.url}: {request.failure}"))
            page.on("pageerror", lambda error: page.errors.append(str(error)))
            page.on(
                "console",
                lambda message: page.errors.append(message.text) if message.type in ("error", "warning") else None,
            )
            page.goto(url)
            yield page
        finally:
            browser.close()
