"""Pictures of every page over the demo: on a desk, at night, and on a phone."""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import FrameLocator, Page, expect

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
COLOURS = 128  # of a picture: a third of the size, and no difference that an eye sees
DESK: dict[str, Any] = {"viewport": {"width": 1200, "height": 820}}
NIGHT: dict[str, Any] = {**DESK, "color_scheme": "dark"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5}
LOOKS = {"": DESK, "-dark": NIGHT, "-phone": PHONE}
DATA = [
    {"prompt": "What is a remora?", "expected": "A remora is a fish that holds on to big animals."},
    {"prompt": "Where do whales live?", "expected": "Whales live in the sea."},
    {"prompt": "What is a shark?", "expected": "A shark is a big fish."},
]


def open_tab(page: Page, name: str) -> None:
    """On a phone Gradio puts the tabs that don't fit behind a menu."""
    found = page.get_by_role("tab", name=name)
    if found.is_visible():
        found.click()
    else:
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=name).click()


def greedy(page: Page | FrameLocator) -> None:
    """Temperature 0 on the page that is open, so that pictures change only when pages do."""
    toggle = page.get_by_role("button", name="Generation parameters")
    toggle.click()
    page.get_by_label("Temperature").locator("visible=true").fill("0")
    toggle.click()


def chat(page: Page) -> None:
    """A short conversation with an adapter."""
    page.locator("#chat-model input").click()
    page.get_by_role("option", name="pirate").click()
    greedy(page)
    for count, question in enumerate(("What is a remora?", "Where do whales live?"), start=1):
        page.get_by_label("Your message").fill(question)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Retry")).to_have_count(count)
    page.evaluate("document.activeElement.blur()")


def compare(page: Page) -> None:
    """The base beside an adapter, with the differences marked."""
    open_tab(page, "Compare")
    expect(page.locator("#compare-models")).to_contain_text("base")
    field = page.locator("#compare-models input")
    field.click()
    page.get_by_role("option", name="pirate").click()
    field.press("Escape")
    greedy(page)
    page.get_by_label("Prompt for all of them").fill("What is a remora?")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="About the same").wait_for()


def dataset(page: Page) -> None:
    """A small data set over two models."""
    open_tab(page, "Data set")
    expect(page.locator("#dataset-models")).to_contain_text("base")
    greedy(page)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questions.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in DATA), "utf-8")
        page.locator("input[type=file]").set_input_files(path)
        expect(page.get_by_text("questions")).to_be_visible()
        page.get_by_role("button", name="Run").click()
        page.get_by_text("All done").wait_for()


def endpoint(page: Page) -> None:
    """The endpoint after it has answered."""
    open_tab(page, "Endpoint")
    expect(page.locator("#endpoint-load")).to_contain_text(re.compile(r"[\d.]+\s*tokens/s"))


PAGES: dict[str, Callable[[Page], None]] = {
    "chat": chat,
    "compare": compare,
    "dataset": dataset,
    "endpoint": endpoint,
}


def draw(page: Page, name: str) -> None:
    """Write a picture of what is seen, with few colours and so of few bytes."""
    page.evaluate("scrollTo(0, 0)")
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}.png  {(IMAGES / f'{name}.png').stat().st_size // 1024} kB")


def main() -> None:
    """Serve the demo and draw every page in every look."""
    sys.path.insert(0, str(ROOT))
    from tests.cli.serving import Serving, named
    from tests.ui.browser import browser, tab

    expect.set_options(timeout=60_000)
    IMAGES.mkdir(exist_ok=True)
    arguments = [str(ROOT / "examples" / "demo"), "--port", "0", "--json"]
    with Serving(*arguments, command=("serve", "--ui")) as server, browser() as chromium:
        url = str(named(server.until("ready"), "ready")["url"])
        for suffix, look in LOOKS.items():
            with tab(chromium, **look) as page:
                page.goto(url)
                page.get_by_label("Your message").wait_for()
                for name, visit in PAGES.items():
                    visit(page)
                    draw(page, name + suffix)
        server.stop()


if __name__ == "__main__":
    main()
