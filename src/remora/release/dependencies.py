"""What a project's code depends on, installed by pip for the machine that will run it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from remora.errors import ConfigError, ReleaseError
from remora.release.runtime import Runtime

_SHOWN = 8  # lines of pip's own words in an error


def install(requirements: Path, runtime: Runtime, cache: Path) -> Path:
    """A folder with the packages that a requirements file names, as wheels for ``runtime``.

    Folders are kept in ``cache`` by the digest of the file's text and the runtime, so that the
    same requirements are installed once. Raises `ConfigError` if the file can't be read, and
    `ReleaseError` with pip's words if there is no wheel.
    """
    try:
        text = requirements.read_bytes()
    except OSError as error:
        raise ConfigError(f"{requirements} can't be read: {error.strerror}") from error
    asked = f"{runtime.python} {runtime.platform}\n".encode() + text
    folder = cache / hashlib.sha256(asked).hexdigest()
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
