"""A project's code and what it depends on, as one archive for the machine that will run it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from remora.errors import ConfigError, ReleaseError
from remora.release import import_check
from remora.release.archive import pack
from remora.release.code_files import code_files
from remora.release.dependencies import install
from remora.release.runtime import Runtime, this_runtime

CODE, SITE = "code", "site"  # folders of the archive: the project's own, and its dependencies

# Modules that the server has anyway: Remora, and what it needs to serve.
PROVIDED = (
    "remora", "torch", "numpy", "safetensors", "tokenizers", "jinja2", "starlette", "uvicorn",
    "pydantic", "httpx", "typer", "rich", "prometheus_client",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bundle:
    """An archive on this machine, and what it was built for."""

    archive: Path
    runtime: Runtime


def build(
    folder: Path, state: Path, runtime: Runtime, *, requirements: Path | None = None
) -> Bundle:
    """Pack the code in a folder; ``state`` keeps what need not be made twice.

    Raises `ConfigError` for files that can't travel, and `ReleaseError` for dependencies that
    can't be installed, or imports that they don't satisfy. Imports can be tried only if the
    runtime is this machine's.
    """
    if not folder.is_dir():
        raise ConfigError(f"the code folder {folder} does not exist")
    own = code_files(folder)
    site = install(requirements, runtime, state / "dependencies") if requirements else None
    brought = _files(site) if site else {}
    files = {f"{CODE}/{name}": path for name, path in own.items()}
    files |= {f"{SITE}/{name}": path for name, path in brought.items()}
    archive = state / "code" / f"{_fingerprint(files, runtime)}.zip"
    if not archive.is_file():
        if runtime == this_runtime():
            _check_imports(folder, sorted(own), site)
        pack(files, archive)
    return Bundle(archive, runtime)


def _files(folder: Path) -> dict[str, Path]:
    return {
        (path := Path(root, name)).relative_to(folder).as_posix(): path
        for root, _, names in os.walk(folder)
        if Path(root).name != "__pycache__"
        for name in names
    }


def _fingerprint(files: dict[str, Path], runtime: Runtime) -> str:
    total = hashlib.sha256(f"{runtime.python} {runtime.platform}\n".encode())
    for name, path in sorted(files.items()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{digest} {name}\n".encode())
    return total.hexdigest()


def _check_imports(folder: Path, names: list[str], site: Path | None) -> None:
    """In an interpreter that sees nothing but the standard library and the dependencies."""
    python = [name for name in names if name.endswith(".py")]
    if not python:
        return
    checker = str(Path(import_check.__file__).absolute())
    arguments = [str(site.absolute()) if site else "", ",".join(PROVIDED), *python]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", checker, *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ReleaseError(
            f"code in {folder} can't be imported where it is to run:\n{done.stdout.strip()}",
            hint="Name what it imports in its requirements file.",
        )
