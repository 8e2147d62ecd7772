"""A share as a tree that is looked through, and its folders as ones that are read in ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from remora.errors import ShareNotFound
from remora.formats.folder import Folder, LocalFolder
from remora.project.tree import Listing
from remora.release.share import Share
from remora.release.share_path import SharePath


@dataclass(frozen=True, slots=True)
class ShareFolder:
    """A folder on a share. Other errors than a missing file are `ShareError`s."""

    share: Share
    path: SharePath

    def names(self) -> Sequence[str]:
        return sorted(listing(self.share, self.path).files)

    def size(self, name: str) -> int:
        entry = self.share.stat(self.path / name)
        if entry is None:
            raise FileNotFoundError(self.place(name))
        return entry.size

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        try:
            return b"".join(self.share.read(self.path / name, start, length))
        except ShareNotFound as error:
            raise FileNotFoundError(self.place(name)) from error

    def place(self, name: str) -> str:
        return f"{self.path / name} on {self.share.label}"


@dataclass(frozen=True, slots=True)
class ShareTree:
    """All of a share."""

    share: Share
    root: Path = Path()

    @property
    def label(self) -> str:
        return f"the share {self.share.label}"

    def list(self, folder: Path) -> Listing:
        return listing(self.share, on_share(folder))

    def open(self, folder: Path) -> Folder:
        return open_folder(self.share, folder)


def open_folder(share: Share, path: Path) -> Folder:
    """A project's folder: an absolute path is one of this machine, a relative one lies on the
    share."""
    return LocalFolder(path) if path.is_absolute() else ShareFolder(share, on_share(path))


def on_share(path: Path) -> SharePath:
    """The place on a share that a relative path stands for."""
    return SharePath.parse(path.as_posix())


def listing(share: Share, folder: SharePath) -> Listing:
    """What lies in a folder; nothing if there is none."""
    try:
        found = sorted(share.list(folder), key=lambda entry: entry.path.name)
    except ShareNotFound:
        return Listing()
    return Listing(
        files=frozenset(entry.path.name for entry in found if not entry.is_folder),
        folders=tuple(entry.path.name for entry in found if entry.is_folder),
    )
