"""A share: the file tree that the serving process sees, as a deployment needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from remora.release.share_path import SharePath


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder. ``size`` is in bytes, 0 for a folder; ``modified`` in ns since 1970, by
    the share's clock."""

    path: SharePath
    is_folder: bool
    size: int
    modified: int


class Share(Protocol):
    """A tree of files. Every method raises a `ShareError`, and nothing else, where it fails.

    Ranges of one file may be written from several threads at once.
    """

    @property
    def label(self) -> str:
        """What people call it; always the same for the same share."""
        ...

    def list(self, folder: SharePath) -> Iterator[Entry]:
        """What lies in a folder, not below, in any order; `ShareNotFound` if there is none.

        Links that lead out of the share are left out.
        """
        ...

    def stat(self, path: SharePath) -> Entry | None:
        """What lies there, or None."""
        ...

    def read(self, path: SharePath, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """A file's bytes in pieces: from ``start``, ``length`` of them or up to its end."""
        ...

    def allocate(self, path: SharePath, size: int) -> None:
        """Make a file of this size to write into, and the folders above it.

        A file of this size that is there keeps its bytes; one of another size loses them.
        """
        ...

    def write(self, path: SharePath, start: int, source: BinaryIO, length: int) -> None:
        """Write the next ``length`` bytes of ``source`` into an allocated file at ``start``."""
        ...

    def rename(self, source: SharePath, target: SharePath, *, replace: bool) -> None:
        """Move a file at once: a reader sees the old or the new one, whole.

        Makes the folders above it. With ``replace`` False at most one of many callers wins, and
        the others get `ShareExists`.
        """
        ...

    def delete(self, path: SharePath) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def place_of(self, local: Path) -> SharePath | None:
        """Where a file or folder of this machine already lies on the share, if it does."""
        ...
