"""The front, with nothing but what its archive brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import remora
from remora.container.runtime_archive import requirements_of
from remora.release.manifest import Role
from tests.container.wheelhouse import lines_of, linked

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="links packages' folders"),
]


def test_it_starts_and_shows_its_pages(tmp_path: Path) -> None:
    site = linked(lines_of(*requirements_of(Role.FRONT)), tmp_path / "site")
    (site / "remora").symlink_to(Path(remora.__file__).parent)
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-m", "remora", "front", "--upstream", "http://127.0.0.1:9", "--port", "0"]
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(site), "PYTHONNOUSERSITE": "1",
        "HOME": str(tmp_path),
    }  # fmt: skip
    process = subprocess.Popen(
        [*command, "--json"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        url = next(
            event["url"] for event in map(json.loads, process.stdout) if event["event"] == "ready"
        )
        with httpx.Client(base_url=url, timeout=60, follow_redirects=True) as client:
            assert client.get("/livez").status_code == 200
            page = client.get("/", headers={"Accept": "text/html"})
            while "gradio" not in page.text:
                assert page.status_code == 200, page.text
                assert process.poll() is None
                page = client.get("/", headers={"Accept": "text/html"})
    finally:
        process.kill()
        process.communicate()
