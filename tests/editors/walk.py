"""What a user does in VS Code from an adapter to an endpoint and back; the docs show pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from draw_pages import greedy
from playwright.sync_api import FrameLocator, Page, expect

from tests.editors.workbench import notification, open_file, palette, pick, press, status

QUESTION = "What is a remora?"
ANSWER = "a remora be a slim fish"  # as a pirate says it

Draw = Callable[[Page, str], None]


def deploy(page: Page, draw: Draw) -> None:
    """From the palette to *Deployment done.*, with the tree that says what is served."""
    page.keyboard.press("F1")
    page.locator(".quick-input-widget input").first.fill(">Remora: ")
    expect(page.get_by_text("Provision Azure Container Apps for inference")).to_be_visible()
    draw(page, "vscode-palette")
    page.keyboard.press("Escape")
    palette(page, "Remora: Focus on Projects View")
    expect(page.get_by_role("treeitem", name="No endpoint")).to_be_visible()
    palette(page, "Remora: Deploy for inference")
    notification(page, "Remora: Deploy for inference")
    notification(page, "Deployment done.")
    for adapter in ("json", "pirate", "tone"):
        expect(page.get_by_role("treeitem", name=f"{adapter} ready")).to_be_visible()
    expect(status(page)).to_contain_text("Remora: ready")
    draw(page, "vscode-deployed")


def ask(pages: Page | FrameLocator) -> None:
    """Chat with an adapter on the endpoint's pages, wherever they are shown."""
    pages.get_by_label("Your message").wait_for(timeout=90_000)  # Gradio is imported now.
    pages.locator("#chat-model input").click()
    pages.get_by_role("option", name="pirate").click()
    greedy(pages)
    pages.get_by_label("Your message").fill(QUESTION)
    pages.get_by_label("Your message").press("Enter")
    expect(pages.get_by_role("button", name="Retry")).to_be_visible()
    expect(pages.get_by_text(ANSWER).first).to_be_visible()


def go_to_endpoint(page: Page) -> str:
    """The button of the notification; returns the address that it opens."""
    done = notification(page, "Deployment done.")
    with page.context.expect_page() as opened:
        press(done, "Go to Inference Endpoint")
    pages = opened.value
    ask(pages)
    url = pages.url
    pages.close()
    return url


def chat(page: Page, draw: Draw) -> None:
    """The same pages inside VS Code."""
    palette(page, "Remora: Open Chat")
    inner = page.frame_locator("iframe.webview").frame_locator("iframe").frame_locator("iframe")
    ask(inner)
    draw(page, "vscode-chat")
    palette(page, "View: Close All Editors")


def roll_back(page: Page, config: Path) -> None:
    """Take an adapter out, deploy that, and go back."""
    before = config.read_text("utf-8")
    config.write_text(before.replace('tone = "adapters/tone"\n', ""), "utf-8")
    palette(page, "Remora: Deploy for inference")
    notification(page, "Deployment done.")
    expect(page.get_by_role("treeitem", name="tone ready")).to_have_count(0)
    palette(page, "Remora: Roll back to an earlier release")
    page.locator(".quick-input-list .monaco-list-row").filter(has_text=" by ").first.click()
    notification(page, "is current again.")
    expect(page.get_by_role("treeitem", name="tone ready")).to_be_visible()


def check(page: Page, config: Path) -> None:
    """What fits is said; a mistake stands in the panel *Problems*, at its line."""
    palette(page, "Remora: Check adapter")
    notification(page, "fit together")
    config.write_text(config.read_text("utf-8").replace("port = 0", "prot = 0"), "utf-8")
    palette(page, "Remora: Check adapter")
    notification(page, "Did you mean 'port'?")
    palette(page, "Problems: Focus on Problems View")
    problem = page.locator(".markers-panel").get_by_text("[server] prot: unknown key")
    expect(problem).to_be_visible()
    config.write_text(config.read_text("utf-8").replace("prot = 0", "port = 0"), "utf-8")


def help_in_files(page: Page, project: Path) -> None:
    """A wrong key of JSON is marked, and a key of remora.toml completed."""
    config = project / "infra" / "inference.config.json"
    config.parent.mkdir()
    config.write_text('{"ACA_APP_NAM": null}\n', "utf-8")
    open_file(page, config.name)
    palette(page, "Problems: Focus on Problems View")
    expect(page.locator(".markers-panel").get_by_text("ACA_APP_NAM is not allowed")).to_be_visible()
    open_file(page, "remora.toml")
    page.keyboard.press("Control+End")
    page.keyboard.type("\n[engine]\nmax_res")
    expect(page.locator(".suggest-widget")).to_contain_text("max_resident_adapters")
    page.keyboard.press("Enter")
    expect(page.locator(".view-lines")).to_contain_text("max_resident_adapters =")
    palette(page, "File: Revert File")
    palette(page, "View: Close All Editors")
    shutil.rmtree(config.parent)


def tear_down(page: Page) -> None:
    """End the server."""
    palette(page, "Remora: Tear down")
    notification(page, "The endpoint is gone")
    expect(status(page)).to_contain_text("Remora: stopped")


def provision(page: Page, subscription: str, group: str, draw: Draw) -> None:
    """From the palette over the questions and the plan to what is then there."""
    palette(page, "Remora: Focus on Projects View")
    palette(page, "Remora: Provision Azure Container Apps for inference")
    pick(page, "Which subscription?", subscription)
    pick(page, "Which resource group?", group)
    plan = page.get_by_role("dialog")
    expect(plan).to_contain_text("Deploy this?", timeout=90_000)
    expect(plan).to_contain_text("create App/containerApps")
    expect(plan).to_contain_text("Estimated cost of an hour")
    draw(page, "vscode-plan")
    press(plan, "Continue")
    expect(notification(page, "Provisioning done.")).to_contain_text("Show in Azure")
    expect(page.locator(".output-view")).to_contain_text("Endpoint: https://")
    expect(status(page)).not_to_contain_text("Remora: stopped")


def take_away(page: Page) -> None:
    """What is to be deleted is shown first."""
    palette(page, "Remora: Tear down")
    removal = page.get_by_role("dialog")
    expect(removal).to_contain_text("delete App/containerApps", timeout=90_000)
    press(removal, "Continue")
    notification(page, "The endpoint is gone")
