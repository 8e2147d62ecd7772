"""The pages of a real `remora serve` of the demo, which has a key, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cli.serving import Serving, named
from tests.end_to_end.conftest import DEMO
from tests.ui.browser import LIMIT, tab, violations

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=LIMIT)
KEY = "a-key-that-nobody-may-see"


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    arguments = [str(DEMO), "--port", "0", "--json", "--dtype", "float32"]
    with Serving(*arguments, command=("serve", "--ui"), env={"REMORA_API_KEY": KEY}) as found:
        yield found
        assert found.stop() == 0, found.log()
        assert KEY not in found.log()


@pytest.fixture(scope="module")
def url(server: Serving) -> str:
    """The address, when the API answers; the pages come later."""
    events = server.until("ready")
    assert "ui" not in [event["event"] for event in events]
    return str(named(events, "ready")["url"])


@pytest.fixture(scope="module")
def pages(server: Serving, url: str) -> str:
    """The address, when the pages are there, too. The API was there before them."""
    assert httpx.get(f"{url}/readyz").status_code == 200
    assert "API key" in httpx.get(f"{url}/").text
    server.until("ui")
    return url


@pytest.fixture(scope="module")
def page(chrome: Browser, pages: str) -> Iterator[Page]:
    """A tab that has signed in."""
    with tab(chrome, viewport={"width": 1200, "height": 850}) as found:
        found.goto(pages)
        assert not violations(found)
        found.get_by_label("API key").fill("wrong")
        found.keyboard.press("Enter")
        expect(found.get_by_role("alert")).to_contain_text("not a key of this endpoint")
        found.get_by_label("API key").fill(KEY)
        found.keyboard.press("Enter")
        found.get_by_label("Your message").wait_for()
        yield found


def number(url: str, metric: str) -> float:
    """The value of a metric without labels."""
    metrics = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {KEY}"}).text
    found = re.search(rf"^remora_{metric} (\S+)$", metrics, re.MULTILINE)
    assert found, metrics
    return float(found[1])


def test_the_key_is_nowhere_in_the_browser(page: Page, pages: str) -> None:
    assert KEY not in page.url
    assert KEY not in page.content()
    assert KEY not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert KEY not in page.evaluate("document.cookie")
    assert KEY not in str(page.context.cookies())
    assert httpx.get(f"{pages}/config").status_code == 401
    assert httpx.get(f"{pages}/v1/nothing").json()["error"]["code"] == "invalid_api_key"


def test_the_demo_s_adapters_chat(page: Page) -> None:
    page.get_by_role("button", name="Generation parameters").first.click()
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Your message").fill("What is a remora?")
    page.keyboard.press("Enter")
    expect(page.locator(".figures")).to_contain_text(re.compile(r"\d+ tokens · [\d.]+ tokens/s"))
    expect(page.locator(".answer")).to_contain_text("remora", ignore_case=True)
    page.get_by_role("button", name="The prompt as the model sees it").click()
    expect(page.locator("#rendered")).to_contain_text("What is a remora?")
    expect(page.locator("#rendered")).to_contain_text(re.compile(r"\d+ tokens"))


def test_stop_frees_the_place_in_the_batch(page: Page, pages: str) -> None:
    page.get_by_label("Max new tokens").fill("900")
    page.get_by_label("Go on after the end").first.check()
    page.get_by_label("Your message").fill("Tell me about the sea")
    before = number(pages, "engine_generated_tokens_total")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".figures").last).to_contain_text("stopped")
    assert number(pages, "running_requests") == 0
    assert number(pages, "engine_generated_tokens_total") - before < 900
    page.get_by_role("button", name="New chat").click()
    expect(page.locator("#history")).to_contain_text("Ask the model")


def test_the_base_beside_an_adapter(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare-models")).to_contain_text("base")
    page.get_by_role("button", name="Generation parameters").click()
    page.get_by_label("Temperature").locator("visible=true").fill("0")
    page.get_by_label("Prompt for all of them").fill("What is a remora?")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="About the same").wait_for()
    first, second = page.locator("#columns .text").all_inner_texts()
    assert first != second
    assert page.locator("#columns mark").count() > 0


def test_what_the_endpoint_serves(page: Page, pages: str) -> None:
    page.get_by_role("tab", name="Endpoint").click()
    expect(page.locator("#endpoint-models tbody tr")).to_have_count(4)
    expect(page.locator("#endpoint-snippet")).to_contain_text(f"{pages}/v1/chat/completions")
    expect(page.locator("#endpoint-load")).to_contain_text("tokens/s")
    assert not violations(page)


def test_without_the_pages_gradio_is_not_imported() -> None:
    arguments = [str(DEMO), "--port", "0", "--json", "--dtype", "float32"]
    env = {"PYTHONPROFILEIMPORTTIME": "1"}
    with Serving(*arguments, command=("serve", "--no-ui"), env=env) as server:
        url = named(server.until("ready"), "ready")["url"]
        assert httpx.get(f"{url}/").status_code == 404
        assert server.stop() == 0
        assert "remora.gateway.server" in server.log()
        assert "gradio" not in server.log()
