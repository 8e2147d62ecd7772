"""Remora and what it depends on, as one archive for a container that has Python and PyTorch.

It is built from wheels for the container's Python and platform, and from the files of the Remora
that is installed here, be it from a wheel or to be edited.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import remora
from remora.release.archive import pack
from remora.release.bundle import installed_files
from remora.release.dependencies import install
from remora.release.digests import DigestCache
from remora.release.manifest import Role
from remora.release.runtime import Runtime

_FORMAT = "2"  # changes where the same files make another archive

# What PEFT asks for, and the image brings; its version is that of the default image.
_IMAGE = {"torch": "2.7.1"}

# Rooms of the machine that deploys alone: a container has no use for them.
_STAYS = {"azure", "targets"}

# What packages bring for those who develop with them, and a server never reads: a quarter of the
# files, each of which takes time to pack and to unpack.
_UNUSED_FOLDERS = {"tests", "sboms", "ffmpeg"}
_UNUSED_SUFFIXES = {".pyi", ".pyx", ".pxd", ".c", ".h", ".f90"}


def requirements_of(role: Role, *, transformers: bool = False) -> list[Path]:
    """What Remora needs for a role and the image lacks, in pip's syntax; with ``transformers`` for
    a base model that runs on its code."""
    names = [role.value]
    if transformers and role is Role.SERVE:
        names.append("transformers")
    return [Path(__file__).with_name(f"{name}.txt") for name in names]


def recipe(requirements: Sequence[Path], runtime: Runtime, cache: DigestCache) -> str:
    """SHA-256 of all that an archive is made from; reads only files that have changed."""
    total = hashlib.sha256(f"{_FORMAT} {runtime.python} {runtime.platform}\n".encode())
    for file in requirements:
        total.update(file.read_bytes())
    for name, path in _own_files():
        total.update(f"{cache.of(path)} {name}\n".encode())
    return total.hexdigest()


def build(requirements: Sequence[Path], runtime: Runtime, state: Path, recipe: str) -> Path:
    """The archive of a recipe, made unless ``state`` has it from before.

    Raises `ReleaseError` with pip's words if a dependency can't be had for the runtime.
    """
    archive = state / "runtime" / f"{recipe}.zip"
    if not archive.is_file():
        site = install(requirements, runtime, state / "dependencies", provided=_IMAGE)
        brought = {n: path for n, path in installed_files(site).items() if _is_used(n)}
        pack(brought | dict(_own_files()), archive)
    return archive


def _is_used(name: str) -> bool:
    path = PurePosixPath(name)
    within = path.parts[1:-1]  # A package may itself be called so.
    return path.suffix not in _UNUSED_SUFFIXES and _UNUSED_FOLDERS.isdisjoint(within)


def _own_files() -> Iterator[tuple[str, Path]]:
    """Remora's files by their names in the archive, in order."""
    package = Path(remora.__file__).parent
    for name, path in sorted(installed_files(package).items()):
        if name.partition("/")[0] not in _STAYS:
            yield f"{package.name}/{name}", path
