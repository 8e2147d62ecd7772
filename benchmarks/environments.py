"""A virtual environment per peer, under ``benchmarks/.peers/``; Remora's own is not touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import bootstrap

FOLDER = Path(__file__).parent / ".peers"


class CannotInstall(Exception):
    """A peer's environment can't be made; the text is the last line that pip said."""


def ensure(name: str, requirements: tuple[str, ...]) -> Path:
    """The Python of the environment ``name``, made with torch and ``requirements`` if missing."""
    folder = FOLDER / name
    python = bootstrap.executable(folder, "python")
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256("\n".join((bootstrap.TORCH, *requirements)).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return python
    bootstrap.say(f"Making an environment for {name} in {folder} (some minutes, once)")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
        install_torch(python)
        pip(python, "install", *requirements)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [str(error)]
        raise CannotInstall(said[-1]) from error
    stamp.write_text(wanted, "utf-8")
    return python


def install_torch(python: Path) -> None:
    """Install the same torch as Remora's, from the same place."""
    sources = bootstrap.torch_sources(
        find_links=bootstrap.has_find_links(os.environ, pip(python, "config", "list")),
        platform=sys.platform,
        nvidia=shutil.which("nvidia-smi") is not None,
    )
    for source in sources[:-1]:
        try:
            pip(python, "install", *source, bootstrap.TORCH)
        except subprocess.CalledProcessError:
            continue
        return
    pip(python, "install", *sources[-1], bootstrap.TORCH)


def pip(python: Path, *arguments: str) -> str:
    """What pip prints; raises `subprocess.CalledProcessError` when it fails."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def versions(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Versions of some packages, as installed for ``python``."""
    code = (
        "from importlib.metadata import distributions\n"
        "for d in distributions(): print(d.metadata['Name'], d.version)"
    )
    lines = subprocess.run(
        [str(python), "-c", code], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    found = dict(line.split(" ", 1) for line in lines)
    return {name: found[name] for name in names if name in found}
