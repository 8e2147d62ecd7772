"""A real headless Chromium for the tests of the pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
AXE = files("axe_playwright_python") / "axe.min.js"
LIMIT = 30_000  # ms that anything may take on a busy machine


def chromium() -> str | None:
    """The path of an installed Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium with a fresh profile; end it before anything else uses asyncio."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield found
        found.close()


@contextmanager
def tab(found: Browser, **options: Any) -> Iterator[Page]:
    """A page in a session of its own; fails if it asked for anything beyond this machine, or if
    a script of it failed."""
    context = found.new_context(accept_downloads=True, **options)
    context.set_default_timeout(LIMIT)
    page = context.new_page()
    strangers: list[str] = []
    failures: list[str] = []
    page.on("request", lambda request: strangers.append(request.url) if _far(request.url) else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    assert not strangers
    assert not failures


def _far(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:"))


def violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical on the page as it is."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
