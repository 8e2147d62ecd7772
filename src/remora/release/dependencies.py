"""What a project's code depends on, installed by pip for the machine that will run it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from remora.errors import ConfigError, ReleaseError
from remora.release.runtime import Runtime

_SHOWN = 8  # lines of pip's own words in an error

# Files of this machine that a requirements file names.
_NAMED = re.compile(
    r"^\s*(?:-[rc]|--requirement|--constraint)[\s=]*(?!\S+://)([^\s=]\S*)", re.MULTILINE
)


def install(requirements: Path, runtime: Runtime, cache: Path) -> Path:
    """A folder with the packages that a requirements file names, as wheels for ``runtime``.

    Folders are kept in ``cache`` by the runtime and the digest of the file's text and of the files
    that it names, so that the same requirements are installed once. Raises `ConfigError` if a file
    can't be read, and `ReleaseError` with pip's words if there is no wheel.
    """
    asked = hashlib.sha256(f"{runtime.python} {runtime.platform}\n".encode())
    for text in _texts(requirements):
        asked.update(text)
    folder = cache / asked.hexdigest()
    if folder.is_dir():
        return folder
    beside = folder.with_name(uuid.uuid4().hex)
    try:
        _pip(requirements, runtime, beside)
        beside.mkdir(parents=True, exist_ok=True)  # pip makes none for no requirements
        _make_reproducible(beside)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _texts(*requirements: Path) -> Iterator[bytes]:
    """What stands in requirements files, and in those that they name, each once."""
    files = list(requirements)
    for file in files:
        try:
            text = file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file} can't be read: {error.strerror}") from error
        yield text
        named = [file.parent / name for name in _NAMED.findall(text.decode("utf-8", "replace"))]
        files += [other for other in named if other not in files]


def _pip(requirements: Path, runtime: Runtime, target: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-input", "--no-compile", "--only-binary=:all:", "--implementation", "cp",
        "--python-version", runtime.python, "--target", str(target),
        "--requirement", str(requirements.absolute()),
        *(f"--platform={tag}" for tag in runtime.tags),
    ]  # fmt: skip
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-_SHOWN:])
        raise ReleaseError(
            f"{requirements} can't be installed for Python {runtime.python} on"
            f" {runtime.platform}:\n{said}",
            hint="Only wheels are taken, for code is not built here for another machine.",
        )


def _make_reproducible(folder: Path) -> None:
    """Take away what names the Python that ran pip: scripts, and the records that list them."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    shutil.rmtree(folder / "Scripts", ignore_errors=True)
    for record in folder.glob("*.dist-info/RECORD"):
        record.unlink()
