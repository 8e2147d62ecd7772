"""A real VS Code in a browser, with the extension installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from code_server import Folder, missing
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from remora.targets.port import free_port

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "editors" / "vscode"
MACHINE = {"remora.path": str(Path(sys.executable).with_name("remora"))}
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
}


def installed() -> Folder:
    """Where scripts/code_server.py installs it."""
    return Folder(Path(sys.prefix))


def why_not() -> str | None:
    """Why no real VS Code can be started here; None if one can."""
    if not installed().is_complete:
        return "code-server is not installed: python3 scripts/code_server.py"
    return missing({"node": str(installed().node)})


def package(folder: Path) -> Path:
    """The extension as users install it."""
    staged = folder / "extension"
    shutil.copytree(EXTENSION, staged, ignore=shutil.ignore_patterns("node_modules", "*.vsix"))
    shutil.copy(ROOT / "LICENSE", staged / "LICENSE")
    path = folder / "remora.vsix"
    here = installed()
    subprocess.run(
        [
            *(here.node, here.vsce, "package", "--out", path),
            *("--no-dependencies", "--allow-missing-repository"),
        ],
        cwd=staged,
        check=True,
        capture_output=True,
    )
    return path


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
    for scope, settings in {"User": SETTINGS, "Machine": MACHINE}.items():
        file = folder / "data" / scope / "settings.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings), "utf-8")
    command: list[str | Path] = [here.node, here.code_server]
    vsix = package(folder)
    subprocess.run(
        [*command, *options, "--install-extension", vsix], check=True, capture_output=True
    )
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


def open_directly(context: BrowserContext) -> None:
    """As on a desk: an address of this machine is opened as it is, not through code-server."""

    def redirect(route: Route) -> None:
        port, _, path = route.request.url.partition("/proxy/")[2].partition("/")
        location = f"http://127.0.0.1:{port}/{path}"
        route.fulfill(status=302, headers={"Location": location})

    context.route("**/proxy/**", redirect)


def palette(page: Page, command: str) -> None:
    """Run a command by its full name."""
    page.keyboard.press("F1")
    box = page.locator(".quick-input-widget input").first
    box.fill(f">{command}")
    page.locator(".quick-input-list .monaco-list-row").first.click()


def notification(page: Page, text: str) -> Locator:
    """The notification with that text, once it is there."""
    found = page.locator(".notification-toast").filter(has_text=text)
    expect(found).to_be_visible(timeout=60_000)
    return found
