"""The benchmarks that CONTRIBUTING.md lists can be run as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = re.findall(
    r"^\S*python -m (benchmarks\.\w+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
)


def test_all_are_listed() -> None:
    programs = {
        f"benchmarks.{path.stem}"
        for path in (ROOT / "benchmarks").glob("*.py")
        if path.stem != "__main__" and '__name__ == "__main__"' in path.read_text("utf-8")
    }
    assert programs - {"benchmarks.models", "benchmarks.paced_server", "benchmarks.when_gone"} == (
        set(LISTED)
    )


@pytest.mark.slow
@pytest.mark.parametrize("module", LISTED)
def test_it_runs(module: str) -> None:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-W", "error", "-m", module, "--help"]
    said = subprocess.run(command, cwd=ROOT, env=clean, check=True, capture_output=True, text=True)
    assert f"python -m {module}" in said.stdout
