"""What a chat through the page costs the server, beside the same chat through the API.

The pages run in a process of their own, so that what is compared is the server alone. Both ask the
same questions with the same parameters in turns; processor time is the server's, user and system.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.findings import Finding, add_option, tell
from benchmarks.servers import ServerFailed, free_port, running

DEMO = Path(__file__).parent.parent / "examples" / "demo"
MODEL, TOKENS, CHATS, ROUNDS = "pirate", 200, 4, 5
REMORA = [sys.executable, "-c", "from remora.cli.main import main; main()"]
QUESTION = "Tell me about the sea"
START_LIMIT = 120.0  # s


def measure(chromium: str) -> Finding:
    """Both costs [ms of processor time a chat], and by how much they differ."""
    api, pages = free_port(), free_port()
    serve = [*REMORA, "serve", str(DEMO), "--no-ui", "--port", str(api)]
    show = [*REMORA, "ui", "--endpoint", f"http://127.0.0.1:{api}", "--port", str(pages)]
    variables = {"REMORA_API_KEY": "", "REMORA_ADMIN_KEY": ""}
    with running(serve, api, variables) as server, running(show, pages, variables) as site:
        server.wait_until_ready("/readyz")
        began = time.perf_counter()
        while '"go":true' not in (site.get("/ui/state") or ""):
            if time.perf_counter() - began > START_LIMIT:
                raise ServerFailed("the pages did not come")
            time.sleep(0.1)
        process = psutil.Process(server.process.pid)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page()
            prepare(page, f"http://127.0.0.1:{pages}")
            costs: dict[str, list[float]] = {"api": [], "page": []}
            for number in range(ROUNDS + 1):
                by_api = cost(process, lambda: through_api(f"http://127.0.0.1:{api}"))
                by_page = cost(process, lambda: through_page(page))
                if number:  # The first round warms both.
                    costs["api"].append(by_api)
                    costs["page"].append(by_page)
            browser.close()
    medians = {name: statistics.median(values) * 1000 / CHATS for name, values in costs.items()}
    more = medians["page"] / medians["api"] - 1
    return Finding(
        f"the server's processor time of a chat of {TOKENS} tokens by the page, against the API",
        "less than 5 % more",
        f"{more:+.1%}: {medians['page']:.0f} ms against {medians['api']:.0f} ms",
        more < 0.05,
    )


def cost(process: psutil.Process, work: Callable[[], None]) -> float:
    """Processor time of a process [s] while ``work`` is done."""
    before = process.cpu_times()
    work()
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system


def through_api(url: str) -> None:
    """Stream every chat, as any client does."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with httpx.Client(timeout=120) as client:
        for _ in range(CHATS):
            with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
                for _line in answer.iter_lines():
                    pass


def prepare(page: Page, url: str) -> None:
    """Open the page, choose the model and the same parameters."""
    page.set_default_timeout(120_000)
    page.goto(url)
    page.get_by_label("Your message").wait_for()
    page.locator("#chat-model input").click()
    page.get_by_role("option", name=MODEL).click()
    page.get_by_role("button", name="Generation parameters").first.click()
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Max new tokens").fill(str(TOKENS))
    page.get_by_label("Go on after the end").first.check()


def through_page(page: Page) -> None:
    """Ask every question in a new chat."""
    for _ in range(CHATS):
        page.get_by_role("button", name="New chat").click()
        page.get_by_text("Ask the model that you fine-tuned").wait_for()
        page.get_by_label("Your message").fill(QUESTION)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Retry").wait_for()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_cost", description=__doc__)
    add_option(parser)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("error: Chromium is not installed")
        return 2
    tell("page_cost", "The pages", [measure(chromium)], page=options.page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
