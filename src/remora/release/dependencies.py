"""What a project's code depends on, installed by pip for the machine that will run it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from remora.errors import ConfigError, ReleaseError
from remora.release.runtime import Runtime

_SHOWN = 8  # lines of pip's own words in an error

# Files of this machine that a requirements file names.
_NAMED = re.compile(
    r"^\s*(?:-[rc]|--requirement|--constraint)[\s=]*(?!\S+://)([^\s=]\S*)", re.MULTILINE
)


def install(
    requirements: Sequence[Path],
    runtime: Runtime,
    cache: Path,
    *,
    provided: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """A folder with the packages that requirements files name, as wheels for ``runtime``.

    Folders are kept in ``cache`` by the runtime and the digest of the files' text and of the files
    that they name, so that the same requirements are installed once. Packages that others need and
    that are ``provided`` where they will run, with their versions, are left out. Raises
    `ConfigError` if a file can't be read, and `ReleaseError` with pip's words if there is no wheel.
    """
    asked = hashlib.sha256(f"{runtime.python} {runtime.platform}\n".encode())
    for text in _texts(*requirements):
        asked.update(text)
    asked.update("".join(f"{name} {version}\n" for name, version in provided.items()).encode())
    folder = cache / asked.hexdigest()
    if folder.is_dir():
        return folder
    beside = folder.with_name(uuid.uuid4().hex)
    try:
        with tempfile.TemporaryDirectory() as stubs:
            named = [_stub(Path(stubs), name, version) for name, version in provided.items()]
            _pip(requirements, runtime, beside, ["--find-links", stubs, *named] if named else [])
        for name in provided:
            for info in beside.glob(f"{name}-*.dist-info"):
                shutil.rmtree(info)
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


def _stub(folder: Path, name: str, version: str) -> str:
    """A wheel with nothing in it, which pip takes for a package; returns how pip is asked for it.

    pip knows no other way to be told what the machine that it installs for has already.
    """
    local = f"{version}+provided"
    info = f"{name}-{local}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{local}-py3-none-any.whl", "w") as wheel:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {local}\n"
        wheel.writestr(f"{info}/METADATA", about)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{name}=={local}"


def _pip(
    requirements: Sequence[Path], runtime: Runtime, target: Path, further: Sequence[str]
) -> None:
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-input", "--no-compile", "--no-warn-conflicts", "--only-binary=:all:",
        "--implementation", "cp", "--python-version", runtime.python, "--target", str(target),
        *(f"--requirement={file.absolute()}" for file in requirements),
        *(f"--platform={tag}" for tag in runtime.tags), *further,
    ]  # fmt: skip
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-_SHOWN:])
        raise ReleaseError(
            f"{' and '.join(map(str, requirements))} can't be installed for Python"
            f" {runtime.python} on {runtime.platform}:\n{said}",
            hint="Only wheels are taken, for code is not built here for another machine.",
        )


def _make_reproducible(folder: Path) -> None:
    """Take away what names the Python that ran pip: scripts, and the records that list them."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    shutil.rmtree(folder / "Scripts", ignore_errors=True)
    for record in folder.glob("*.dist-info/RECORD"):
        record.unlink()
