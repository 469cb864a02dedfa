"""A real browser on the page, which is watched: what it asks for, and what goes wrong in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.running import Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

#: Where systems have it; a browser of Playwright's own would be a download.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Milliseconds that work on a recording, and all else, may take on a machine that is busy.
WORK, ELSE = 300_000, 60_000
PHONE = {"width": 390, "height": 844}
#: A camera and a microphone that are none, and no question about them.
_FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@dataclass
class Watched:
    """A page.

    Args:
        page: Of Playwright.
        base: Address of the server.
        wrong: Errors of scripts and messages of the browser, and requests to other hosts.
    """

    page: Page
    base: str
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str = "#/") -> None:
        """Open a view, as a fresh page."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base}/{path}")
        self.page.wait_for_selector("h1")

    def upload(self, path: Path, **options: str) -> str:
        """Send a recording from the start, and wait for its result. Returns the job."""
        self.go()
        if options:
            self.page.click("summary:text-is('Options')")
            for name, value in options.items():
                self.page.select_option(f"#{name}", value)
        self.page.set_input_files("#file", path)
        self.page.wait_for_url("**/#/job/*")
        self.page.wait_for_selector(".headline", timeout=WORK)
        return self.page.url.rpartition("/")[2]

    def know(self, **jobs: str) -> None:
        """Have the page know of jobs by name, as if it had sent them."""
        known = [{"id": id, "name": f"{name}.mp4"} for name, id in jobs.items()]
        keep = "(jobs) => localStorage.setItem('affuse.jobs', JSON.stringify(jobs))"
        self.page.evaluate(keep, known)

    def chosen(self) -> str:
        """What the page says of the segment that is chosen."""
        return self.page.inner_text(".panel h3")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        """Wait until the server has what was changed."""
        self.page.wait_for_selector(".saved:text-is('Saved.')")

    def check_accessible(self) -> None:
        """Whether axe finds nothing, and nothing is wider than the screen."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
        found = axe.Axe().run(self.page).response["violations"]
        told = [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]
        assert told == []
        widths = "[document.documentElement.scrollWidth, window.innerWidth]"
        wide, screen = self.page.evaluate(widths)
        assert wide <= screen


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", *_FAKE]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watching(browser: Browser, server: Running, **options: Any) -> Iterator[Watched]:
    """A page of its own; what went wrong in it fails the test."""
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(ELSE)
    base = str(server.client.base_url)
    watched = Watched(context.new_page(), base.rstrip("/"))
    context.on("request", lambda request: _note(watched, request.url))
    watched.page.on("pageerror", lambda error: watched.wrong.append(str(error)))
    watched.page.on(
        "console",
        lambda one: watched.wrong.append(one.text) if one.type in ("error", "warning") else None,
    )
    try:
        yield watched
        assert watched.wrong == []
    finally:
        context.close()


def _note(watched: Watched, url: str) -> None:
    if not url.startswith((f"{watched.base}/", "blob:", "data:", "about:")):
        watched.wrong.append(f"asks for {url}")
