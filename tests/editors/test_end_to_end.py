"""The extension in a real VS Code, from its package to a chat with an adapter."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.cli.serving import COMMAND
from tests.editors import walk
from tests.editors.workbench import copy_of_demo, editor, why_not
from tests.ui.browser import LIMIT, chromium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
expect.set_options(timeout=LIMIT)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """The demo; its server is ended whatever happens."""
    folder = copy_of_demo(tmp_path / "demo")
    yield folder
    subprocess.run([*COMMAND, "down", str(folder)], check=True, capture_output=True)


@pytest.fixture
def page(project: Path, tmp_path: Path) -> Iterator[Page]:
    if why := why_not():
        pytest.skip(why)
    if chromium() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with editor(tmp_path / "editor", project, {"REMORA_UI": "1"}) as shown:
        yield shown


def test_an_adapter_is_deployed_talked_to_and_taken_back(page: Page, project: Path) -> None:
    def draw(_page: Page, _name: str) -> None:
        """Pictures are for the docs."""

    config = project / "remora.toml"
    walk.deploy(page, draw)
    assert walk.go_to_endpoint(page).startswith("http://127.0.0.1:")
    walk.chat(page, draw)
    walk.roll_back(page, config)
    walk.check(page, config)
    walk.help_in_files(page, project)
    walk.tear_down(page)
