"""The folders that a release is served from, on the machine that has its share mounted."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from remora.errors import ReleaseBroken
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Content, File, tree_digest


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the engine finds the base and the adapters of a release."""

    base: Path
    adapters: Mapping[str, Path]


def check_out(content: Content, share: DirectoryShare, into: Path) -> Checkout:
    """Make folders under ``into``, one for each digest, whose files are links to the share's.

    Folders that are there are used again. Raises `ReleaseBroken` if the share lacks a file.
    """
    return Checkout(
        base=_folder(into / "bases", content.base.files, share),
        adapters={
            name: _folder(into / "adapters", adapter.files, share)
            for name, adapter in content.adapters.items()
        },
    )


def _folder(parent: Path, files: Sequence[File], share: DirectoryShare) -> Path:
    # The digest of an adapter leaves out files that no answer depends on; this one has them all.
    folder = parent / tree_digest({file.name: file.digest for file in files})
    for file in files:
        entry = share.stat(file.place)
        if entry is None or entry.size != file.size:
            raise ReleaseBroken(
                f"the share {share.label} lacks {file.path} ({file.name}), or has another one",
                hint="`remora deploy` brings it back; `remora rollback` serves what was before.",
            )
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
