"""Chromium, and pages over a fake endpoint: one of each for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.cli.serving import Serving, named
from tests.fake_endpoint import FakeEndpoint
from tests.ui.browser import browser, chromium, tab


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def shared_fake() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as fake:
        yield fake


@pytest.fixture
def fake(shared_fake: FakeEndpoint) -> FakeEndpoint:
    shared_fake.reset()
    return shared_fake


@pytest.fixture(scope="module")
def pages_url(shared_fake: FakeEndpoint) -> Iterator[str]:
    """The address of a `remora ui` over the fake."""
    arguments = ["--endpoint", shared_fake.url, "--port", "0", "--json"]
    with Serving(*arguments, command=("ui",)) as pages:
        yield str(named(pages.until("ready"), "ready")["url"])
        assert pages.stop() == 0, pages.log()


@pytest.fixture
def page(chrome: Browser, fake: FakeEndpoint, pages_url: str) -> Iterator[Page]:
    """A tab that shows the chat."""
    with tab(chrome, viewport={"width": 1200, "height": 850}) as found:
        found.goto(pages_url)
        found.get_by_label("Your message").wait_for()
        yield found
