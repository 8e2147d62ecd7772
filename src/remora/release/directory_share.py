"""A folder of this machine as a share: a local one, or one that is mounted."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from remora.errors import (
    ConfigError,
    ShareDenied,
    ShareError,
    ShareExists,
    ShareFull,
    ShareNotFound,
    ShareUnavailable,
)
from remora.release.copying import PIECE, copy
from remora.release.share import Entry
from remora.release.share_path import SharePath

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_GONE = {
    errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ENODEV, errno.ENXIO, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNRESET,
}  # fmt: skip
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class DirectoryShare:
    """Files below ``root``, which must exist: one that is gone is an unmounted share."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def label(self) -> str:
        return str(self.root)

    def list(self, folder: SharePath) -> Iterator[Entry]:
        with self._translated(folder), os.scandir(self._inside(folder)) as found:
            names = [item.name for item in found]
        for name in names:
            if entry := self._usable(folder, name):
                yield entry

    def stat(self, path: SharePath) -> Entry | None:
        try:
            with self._translated(path):
                return _described(path, self._inside(path).stat())
        except ShareNotFound:
            return None

    def read(self, path: SharePath, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        with self._translated(path), self._inside(path).open("rb", buffering=0) as file:
            file.seek(start)
            left = sys.maxsize if length is None else length
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece

    def allocate(self, path: SharePath, size: int) -> None:
        with self._translated(path):
            target = self._writable(path)
            with target.open("r+b" if target.exists() else "xb") as file:
                if os.fstat(file.fileno()).st_size != size:
                    file.truncate(0)
                    file.truncate(size)

    def write(self, path: SharePath, start: int, source: BinaryIO, length: int) -> None:
        with self._translated(path), self._inside(path).open("r+b", buffering=0) as file:
            file.seek(start)
            if copy(source, file, length) < length:
                raise ShareError(f"{path}: the source ended before its {length} bytes were read")

    def rename(self, source: SharePath, target: SharePath, *, replace: bool) -> None:
        with self._translated(source):
            old, new = self._inside(source), self._writable(target)
            if replace:
                old.replace(new)
            elif sys.platform == "win32":
                old.rename(new)
            else:
                _rename_exclusively(old, new)

    def delete(self, path: SharePath) -> None:
        with self._translated(path):
            self._inside(path).unlink(missing_ok=True)

    def place_of(self, local: Path) -> SharePath | None:
        place, root = local.resolve(), self.root.resolve()
        return SharePath(place.relative_to(root).parts) if place.is_relative_to(root) else None

    def _inside(self, path: SharePath) -> Path:
        """The path on this machine, unless a link on the way leads out of the share."""
        local = self.root.joinpath(*path.parts)
        if not local.resolve().is_relative_to(self.root.resolve()):
            raise ShareDenied(
                f"{path} is a link that leads out of {self.root}",
                hint="Put the files themselves in its place.",
            )
        return local

    def _writable(self, path: SharePath) -> Path:
        local = self._inside(path)
        # A share that was unmounted must not come back as a folder.
        if not self.root.is_dir():
            raise self._gone()
        local.parent.mkdir(parents=True, exist_ok=True)
        return local

    def _usable(self, folder: SharePath, name: str) -> Entry | None:
        """None for what vanished, and for names and links that can't be used on a share."""
        try:
            return self.stat(SharePath((*folder.parts, name)))
        except (ConfigError, ShareDenied):
            return None

    def _gone(self) -> ShareUnavailable:
        return ShareUnavailable(
            f"the share {self.root} is not there",
            hint="Is it mounted, and is its network up? The same command goes on where it ended.",
        )

    @contextmanager
    def _translated(self, path: SharePath) -> Iterator[None]:
        """The one border between the system's errors and ours."""
        try:
            yield
        except OSError as error:
            raise self._meaning(path, error) from error

    def _meaning(self, path: SharePath, error: OSError) -> ShareError:
        place = f"{path} on the share {self.root}"
        if not self.root.is_dir():
            return self._gone()
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return ShareNotFound(f"there is no {place}")
        if error.errno == errno.EEXIST:
            return ShareExists(f"there is already a {place}")
        if error.errno in _FULL:
            return ShareFull(
                f"{place}: {error.strerror}",
                hint="Make room on the share; the same command then goes on where it ended.",
            )
        if error.errno in _DENIED:
            return ShareDenied(
                f"{place}: {error.strerror}", hint="Give this user the right to read and write it."
            )
        if error.errno in _GONE:
            return ShareUnavailable(
                f"{place} can't be reached: {error.strerror}",
                hint="The same command goes on where it ended.",
            )
        return ShareError(f"{place}: {error.strerror or error}")


def _described(path: SharePath, found: os.stat_result) -> Entry:
    is_folder = stat.S_ISDIR(found.st_mode)
    return Entry(path, is_folder, 0 if is_folder else found.st_size, found.st_mtime_ns)


def _rename_exclusively(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links, such as a mounted SMB share: creating a file is the
        # only thing left that one alone can do. Readers skip it while it is not whole.
        with old.open("rb") as source, new.open("xb") as target:
            shutil.copyfileobj(source, target)
    old.unlink()
