"""A project's code and what it depends on, as one archive for the machine that will run it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from remora.errors import ConfigError, ReleaseError
from remora.project.project import Project
from remora.release import import_check
from remora.release.archive import pack
from remora.release.code_files import code_files
from remora.release.dependencies import install
from remora.release.digests import DigestCache
from remora.release.runtime import Runtime, this_runtime

CODE, SITE = "code", "site"  # folders of the archive: the project's own, and its dependencies

# Modules that the server has anyway: Remora, and what it needs to serve.
PROVIDED = (
    "remora", "torch", "numpy", "safetensors", "tokenizers", "jinja2", "starlette", "uvicorn",
    "pydantic", "httpx", "typer", "rich", "prometheus_client", "filelock", "psutil", "pathspec",
    "llguidance",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bundle:
    """An archive on this machine, and what it was built for."""

    archive: Path
    runtime: Runtime


def project_bundle(
    project: Project, state: Path, runtime: Runtime, cache: DigestCache
) -> Bundle | None:
    """What the table [code] of a project asks for, or None; ``runtime`` is the target's.

    Raises as `build`.
    """
    code = project.code
    if code is None:
        return None
    return build(
        project.folder,
        code.include,
        state,
        runtime.but(code.python, code.platform),
        cache,
        requirements=project.folder / code.requirements if code.requirements else None,
    )


def build(
    folder: Path,
    include: Sequence[str],
    state: Path,
    runtime: Runtime,
    cache: DigestCache,
    *,
    requirements: Path | None = None,
) -> Bundle:
    """Pack files and folders of a folder; ``state`` keeps what need not be made twice.

    Raises `ConfigError` for files that can't travel, and `ReleaseError` for dependencies that
    can't be installed, or imports that they don't satisfy. Imports can be tried only if the
    runtime is this machine's.
    """
    own = code_files(folder, include)
    if not own:
        raise ConfigError(f"there is no code in {', '.join(include)} of {folder}")
    site = install([requirements], runtime, state / "dependencies") if requirements else None
    archive = state / "code" / f"{_fingerprint(own, site, runtime, cache)}.zip"
    if not archive.is_file():
        if runtime == this_runtime():
            _check_imports(folder, sorted(own), site)
        brought = installed_files(site) if site else {}
        files = {f"{CODE}/{name}": path for name, path in own.items()}
        pack(files | {f"{SITE}/{name}": path for name, path in brought.items()}, archive)
    return Bundle(archive, runtime)


def installed_files(folder: Path) -> dict[str, Path]:
    """All files below a folder by their POSIX names in it, but for compiled ones."""
    return {
        (path := Path(root, name)).relative_to(folder).as_posix(): path
        for root, _, names in os.walk(folder)
        if Path(root).name != "__pycache__"
        for name in names
    }


def _fingerprint(
    own: dict[str, Path], site: Path | None, runtime: Runtime, cache: DigestCache
) -> str:
    """Of all that an archive is made from; the folder of dependencies is named by its own."""
    total = hashlib.sha256(f"{runtime.python} {runtime.platform}\n".encode())
    total.update(f"{site.name if site else ''}\n".encode())
    for name, path in own.items():
        total.update(f"{cache.of(path)} {name}\n".encode())
    return total.hexdigest()


def _check_imports(folder: Path, names: list[str], site: Path | None) -> None:
    """In an interpreter that sees nothing but the standard library and the dependencies."""
    python = [name for name in names if name.endswith(".py")]
    if not python:
        return
    checker = str(Path(import_check.__file__).absolute())
    arguments = [str(site.absolute()) if site else "", ",".join(PROVIDED)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", checker, *arguments],
        cwd=folder, input="\n".join(python), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", check=False,
    )  # fmt: skip
    if done.returncode:
        raise ReleaseError(
            f"code in {folder} can't be imported where it is to run:\n{done.stdout.strip()}",
            hint="Name what it imports in its requirements file.",
        )
