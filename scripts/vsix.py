"""The extension for VS Code as one file that VS Code installs."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "editors" / "vscode"


def build(vsce: Sequence[str | Path], target: Path) -> Path:
    """Run npm's packager, which `vsce` starts, over a copy that has the license, too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    package = ["package", "--no-dependencies", "--allow-missing-repository", "--out"]
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / "extension"
        shutil.copytree(EXTENSION, staged)
        shutil.copy(ROOT / "LICENSE", staged / "LICENSE")
        subprocess.run([*vsce, *package, target.absolute()], cwd=staged, check=True)
    return target
