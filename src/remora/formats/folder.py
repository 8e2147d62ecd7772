"""A folder of files that are read in ranges, wherever it lies: on this machine, or on a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Folder(Protocol):
    """The files directly in one folder. Methods that take a name raise `OSError`."""

    def names(self) -> Sequence[str]:
        """Names of the files, in order; empty if there is no such folder."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file."""
        ...

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file from ``start``: ``length`` of them, or as many as there are."""
        ...

    def place(self, name: str) -> str:
        """Where a file is, in words for a person."""
        ...


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine."""

    path: Path

    def names(self) -> Sequence[str]:
        try:
            return sorted(path.name for path in self.path.iterdir() if path.is_file())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def size(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        with (self.path / name).open("rb", buffering=0) as file:
            file.seek(start)
            return file.readall() if length is None else file.read(length)

    def place(self, name: str) -> str:
        return str(self.path / name)
