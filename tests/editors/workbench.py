"""A real VS Code in a browser, with the extension installed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import vsix
from code_server import Folder, missing
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from remora.targets.port import free_port
from tests.end_to_end.conftest import DEMO
from tests.ui.browser import LIMIT, browser

OWN = re.compile(r"https://[^/]+\.vscode-resource\.vscode-cdn\.net/")  # by a service worker
SETTINGS = {
    "remora.refreshSeconds": 2,
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.colorTheme": "Default Light Modern",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "window.commandCenter": False,
    "files.autoSave": "off",  # A browser's default saves what is being typed.
}


def installed() -> Folder:
    """Where scripts/code_server.py installs it."""
    return Folder(Path(sys.prefix))


def why_not() -> str | None:
    """Why no real VS Code can be started here; None if one can."""
    if not installed().is_complete:
        return "code-server is not installed: python3 scripts/code_server.py"
    return missing({"node": str(installed().node)})


def copy_of_demo(folder: Path) -> Path:
    """The demo as a project of its own, on a free port."""
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("train*", "__pycache__", ".*"))
    with (folder / "remora.toml").open("a", encoding="utf-8") as file:
        file.write("\n[server]\nport = 0\n")
    return folder


def program(folder: Path, env: Mapping[str, str]) -> Path:
    """`remora` with these variables: VS Code takes its own from a login shell."""
    remora = shlex.quote(str(Path(sys.executable).with_name("remora")))
    exports = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    script = folder / "remora"
    script.write_text("\n".join(["#!/bin/sh", *exports, f'exec {remora} "$@"', ""]), "utf-8")
    script.chmod(0o755)
    return script


@contextmanager
def workbench(folder: Path, project: Path, env: Mapping[str, str]) -> Iterator[str]:
    """code-server over a project, with the extension; yields its address. Its files are in
    `folder`, and so is its log."""
    here = installed()
    options: list[str | Path] = [
        *("--config", folder / "config.yaml"),
        *("--extensions-dir", folder / "extensions"),
        *("--user-data-dir", folder / "data"),
    ]
    (folder / "config.yaml").write_text("auth: none\n", "utf-8")
    machine = {"remora.path": str(program(folder, env))}
    for scope, settings in {"User": SETTINGS, "Machine": machine}.items():
        file = folder / "data" / scope / "settings.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings), "utf-8")
    command: list[str | Path] = [here.node, here.code_server]
    packaged = vsix.build([here.node, here.vsce], folder / "remora.vsix")
    subprocess.run([*command, *options, "--install-extension", packaged], check=True)
    port = free_port("127.0.0.1", 0)
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [
                *(*command, *options, "--auth", "none", "--bind-addr", f"127.0.0.1:{port}"),
                *("--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"),
                project,
            ],
            env={**os.environ, **env},
            stdout=log,
            stderr=log,
        )
        try:
            url = f"http://127.0.0.1:{port}/"
            wait_for(url, server, log.name)
            yield url
        finally:
            server.terminate()
            server.wait(30)


def wait_for(url: str, server: subprocess.Popen[bytes], log: str) -> None:
    """Until it answers; fails with its log if it ends before."""
    while True:
        assert server.poll() is None, Path(log).read_text("utf-8")
        try:
            httpx.get(url + "healthz")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


@contextmanager
def editor(folder: Path, project: Path, env: Mapping[str, str]) -> Iterator[Page]:
    """A window of VS Code over a project, as soon as the extension has looked at it."""
    folder.mkdir()
    with workbench(folder, project, env) as url, browser() as chrome:
        context = chrome.new_context(
            viewport={"width": 1280, "height": 800},
            ignore_https_errors=True,  # of the double's certificate
        )
        context.set_default_timeout(LIMIT)
        strangers: list[str] = []
        context.on("request", lambda each: strangers.append(each.url) if is_far(each.url) else None)
        open_directly(context)
        page = context.new_page()
        page.goto(url)
        expect(status(page)).to_contain_text("Remora: stopped", timeout=90_000)
        yield page
        context.close()
    assert not strangers


def is_far(url: str) -> bool:
    """Whether a request leaves this machine. VS Code answers for one domain itself."""
    return not re.match(r"(https?|ws)://127\.0\.0\.1:|data:|blob:", url) and not OWN.match(url)


def open_directly(context: BrowserContext) -> None:
    """As on a desk: an address of this machine is opened as it is, not through code-server."""

    def redirect(route: Route) -> None:
        port, _, path = route.request.url.partition("/proxy/")[2].partition("/")
        origin = f"127.0.0.1:{port}"
        location = f"{scheme(origin)}://{origin}/{path}"
        route.fulfill(status=302, headers={"Location": location})

    context.route("**/proxy/**", redirect)


def scheme(origin: str) -> str:
    """What answers there; the double's front has TLS, all else has not."""
    try:
        httpx.head(f"http://{origin}/")
    except httpx.TransportError:
        return "https"
    return "http"


def palette(page: Page, command: str) -> None:
    """Run a command by its full name, with no notification left of one before."""
    for _ in range(page.locator(".notification-toast").count()):
        page.keyboard.press("Escape")
    page.locator(".titlebar-drag-region").click()  # A page within VS Code may have the keyboard.
    page.keyboard.press("F1")
    page.locator(".quick-input-widget input").first.fill(f">{command}")
    row = page.locator(".quick-input-list .monaco-list-row").first
    expect(row).to_contain_text(command)
    row.click()


def open_file(page: Page, name: str) -> None:
    """Open a file of the project; what is typed next goes into it."""
    page.locator(".titlebar-drag-region").click()
    page.keyboard.press("Control+p")
    page.locator(".quick-input-widget input").first.fill(name)
    page.locator(".quick-input-list .monaco-list-row").filter(has_text=name).first.click()
    expect(page.locator(".tab.active")).to_contain_text(name)
    expect(page.locator(".editor-instance .monaco-editor.focused")).to_be_visible()


def pick(page: Page, question: str, answer: str) -> None:
    """Choose in a quick pick, once it asks that."""
    asked = page.locator(".quick-input-widget")
    expect(asked.locator(".quick-input-title")).to_have_text(question, timeout=90_000)
    asked.locator(".monaco-list-row").filter(has_text=answer).first.click()


def notification(page: Page, text: str, seconds: float = 90) -> Locator:
    """The notification with that text, once it is there."""
    found = page.locator(".notification-toast").filter(has_text=text)
    expect(found).to_be_visible(timeout=seconds * 1000)
    return found


def press(where: Locator, name: str) -> None:
    """Press a button."""
    where.get_by_role("button", name=name).click()


def status(page: Page) -> Locator:
    """The extension's item in the status bar."""
    return page.locator('[id="remora.remora.remora.endpoint"]')
