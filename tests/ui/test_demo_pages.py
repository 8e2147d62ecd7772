"""The pages of a real `remora serve` of the demo, which has a key, in a real browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cli.serving import Serving, named
from tests.end_to_end.conftest import DEMO
from tests.ui.browser import LIMIT, tab, violations

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=LIMIT)
KEY = "a-key-that-nobody-may-see"
TELL_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
GRADIO = re.compile(r"\| +gradio\n")


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    arguments = [str(DEMO), "--port", "0", "--json", "--dtype", "float32"]
    env = {"REMORA_API_KEY": KEY, **TELL_IMPORTS}
    with Serving(*arguments, command=("serve", "--ui"), env=env) as found:
        yield found
        assert found.stop() == 0, found.log()
        assert KEY not in found.log()


@pytest.fixture(scope="module")
def url(server: Serving) -> str:
    """The address, when the API answers."""
    return str(named(server.until("ready"), "ready")["url"])


@pytest.fixture(scope="module")
def page(chrome: Browser, server: Serving, url: str) -> Iterator[Page]:
    """A tab that has signed in. The API was there before the pages, which nobody had opened."""
    with tab(chrome, viewport={"width": 1200, "height": 850}) as found:
        assert httpx.get(f"{url}/readyz").status_code == 200
        found.goto(url)
        assert not violations(found)
        found.get_by_label("API key").fill("wrong")
        found.keyboard.press("Enter")
        expect(found.get_by_role("alert")).to_contain_text("not a key of this endpoint")
        found.get_by_label("API key").fill(KEY)
        assert not GRADIO.search(server.log())
        found.keyboard.press("Enter")
        found.get_by_label("Your message").wait_for()
        assert GRADIO.search(server.log())
        yield found


def number(url: str, metric: str) -> float:
    """The value of a metric without labels."""
    metrics = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {KEY}"}).text
    found = re.search(rf"^remora_{metric} (\S+)$", metrics, re.MULTILINE)
    assert found, metrics
    return float(found[1])


def test_the_key_is_nowhere_in_the_browser(page: Page, url: str) -> None:
    assert KEY not in page.url
    assert KEY not in page.content()
    assert KEY not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert KEY not in page.evaluate("document.cookie")
    assert KEY not in str(page.context.cookies())
    assert httpx.get(f"{url}/config").status_code == 401
    assert httpx.get(f"{url}/v1/nothing").json()["error"]["code"] == "invalid_api_key"


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


def test_stop_frees_the_place_in_the_batch(page: Page, url: str) -> None:
    page.get_by_label("Max new tokens").fill("900")
    page.get_by_label("Go on after the end").first.check()
    page.get_by_label("Your message").fill("Tell me about the sea")
    before = number(url, "engine_generated_tokens_total")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".figures").last).to_contain_text("stopped")
    assert number(url, "running_requests") == 0
    assert number(url, "engine_generated_tokens_total") - before < 900
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


def test_what_the_endpoint_serves(page: Page, url: str) -> None:
    page.get_by_role("tab", name="Endpoint").click()
    expect(page.locator("#endpoint-models tbody tr")).to_have_count(4)
    expect(page.locator("#endpoint-snippet")).to_contain_text(f"{url}/v1/chat/completions")
    expect(page.locator("#endpoint-load")).to_contain_text("tokens/s")
    assert not violations(page)


@pytest.fixture
def editor(url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a page of another site that shows the pages in a frame."""
    frame = f'<html lang="en"><title>Editor</title><iframe src="{url}" title="Remora"></iframe>'
    (tmp_path / "index.html").write_text(frame, "utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("page")
def test_signing_in_within_a_frame_of_another_site(chrome: Browser, editor: str) -> None:
    with tab(chrome) as page:
        page.goto(editor)
        inside = page.frame_locator("iframe")
        inside.get_by_label("API key").fill(KEY)
        inside.get_by_label("API key").press("Enter")
        inside.get_by_label("Your message").fill("Hello")
        inside.get_by_label("Your message").press("Enter")
        expect(inside.locator(".figures")).to_contain_text("tokens/s")
        [cookie] = page.context.cookies()
        assert (cookie["sameSite"], cookie["partitionKey"]) == ("None", "http://localhost")


def test_without_the_pages_gradio_is_not_imported() -> None:
    arguments = [str(DEMO), "--port", "0", "--json", "--dtype", "float32"]
    with Serving(*arguments, command=("serve", "--no-ui"), env=TELL_IMPORTS) as server:
        url = named(server.until("ready"), "ready")["url"]
        assert httpx.get(f"{url}/").status_code == 404
        assert server.stop() == 0
        assert "remora.gateway.server" in server.log()
        assert "gradio" not in server.log()
