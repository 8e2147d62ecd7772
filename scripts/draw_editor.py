"""Pictures of VS Code over the demo; needs Chromium and scripts/code_server.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from draw_pages import IMAGES, ROOT, draw
from playwright.sync_api import expect


def main() -> None:
    """Deploy the demo and chat with it, as the test does, and draw what is seen."""
    sys.path.insert(0, str(ROOT))
    from tests.editors import walk
    from tests.editors.workbench import copy_of_demo, editor

    expect.set_options(timeout=60_000)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        project = copy_of_demo(Path(folder) / "demo")
        with editor(Path(folder) / "editor", project, {"REMORA_UI": "1"}) as page:
            walk.deploy(page, draw)
            walk.chat(page, draw)
            walk.tear_down(page)


if __name__ == "__main__":
    main()
