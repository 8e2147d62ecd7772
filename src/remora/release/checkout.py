"""The folders that a release is served from, on the machine that has its share mounted."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from remora.errors import ReleaseBroken
from remora.release.archive import unpack
from remora.release.bundle import CODE, SITE
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Code, Content, File, tree_digest
from remora.release.share_path import SharePath


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the engine finds the base and the adapters of a release, and its unpacked code."""

    base: Path
    adapters: Mapping[str, Path]
    code: Path | None = None

    @property
    def python_path(self) -> list[str]:
        """Where Python finds the code, and what it depends on."""
        return [str(self.code / name) for name in (CODE, SITE)] if self.code else []


def check_out(content: Content, share: DirectoryShare, into: Path) -> Checkout:
    """Make folders under ``into``, one for each digest, whose files are links to the share's.

    Folders that are there are used again. Raises `ReleaseBroken` if the share lacks a file.
    """
    code = content.code
    return Checkout(
        code=_unpacked(into / "code", code, share) if code else None,
        base=_folder(into / "bases", content.base.files, share),
        adapters={
            name: _folder(into / "adapters", adapter.files, share)
            for name, adapter in content.adapters.items()
        },
    )


def _unpacked(parent: Path, code: Code, share: DirectoryShare) -> Path:
    place = SharePath.parse(code.path)
    _check_there(share, place, code.size)
    unpack(share.root.joinpath(*place.parts), parent / code.digest)
    return parent / code.digest


def _check_there(share: DirectoryShare, place: SharePath, size: int) -> None:
    entry = share.stat(place)
    if entry is None or entry.size != size:
        raise ReleaseBroken(
            f"the share {share.label} lacks {place}, or has another one",
            hint="`remora deploy` brings it back; `remora rollback` serves what was before.",
        )


def _folder(parent: Path, files: Sequence[File], share: DirectoryShare) -> Path:
    # The digest of an adapter leaves out files that no answer depends on; this one has them all.
    folder = parent / tree_digest({file.name: file.digest for file in files})
    for file in files:
        _check_there(share, file.place, file.size)
    if folder.is_dir():
        return folder
    beside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    beside.mkdir(parents=True)
    for file in files:
        _link(share.root.joinpath(*file.place.parts), beside / file.name)
    try:
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside)
        if not folder.is_dir():
            raise
    return folder


def _link(target: Path, link: Path) -> None:
    """A symbolic link, or what else the system allows: a hard link, or a copy."""
    for make in (link.symlink_to, link.hardlink_to):
        try:
            return make(target)
        except OSError:
            continue
    shutil.copyfile(target, link)
    return None
