"""Pictures of VS Code over the demo; needs Chromium and scripts/code_server.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from draw_pages import IMAGES, ROOT, draw
from playwright.sync_api import expect


def main() -> None:
    """Do what the tests do, on this machine and over a double of Azure, and draw what is seen."""
    sys.path.insert(0, str(ROOT))
    expect.set_options(timeout=60_000)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        on_this_machine(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        on_azure(Path(folder))


def on_this_machine(folder: Path) -> None:
    """Deploy the demo, and chat with it."""
    from tests.editors import walk
    from tests.editors.workbench import copy_of_demo, editor

    project = copy_of_demo(folder / "demo")
    with editor(folder / "editor", project, {"REMORA_UI": "1"}) as page:
        walk.deploy(page, draw)
        walk.chat(page, draw)
        walk.tear_down(page)


def on_azure(folder: Path) -> None:
    """The questions and the plan."""
    from tests.azure.double.server import AzureDouble
    from tests.azure.signed_in import variables
    from tests.editors import walk
    from tests.editors.workbench import copy_of_demo, editor

    project = copy_of_demo(folder / "demo")
    with AzureDouble(folder / "azure") as double:
        double.state.group("team")
        double.state.subscription("Other", "11111111-2222-3333-4444-555555555555")
        with editor(folder / "editor", project, variables(double, folder)) as page:
            walk.provision(page, "Team", "team", draw)


if __name__ == "__main__":
    main()
