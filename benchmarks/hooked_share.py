"""A share with something in its way: latency, faults, a process that ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from remora.errors import ShareDenied
from remora.release.share import Entry, Share
from remora.release.share_path import SharePath

Hook = Callable[[str, SharePath], None]


class HookedShare:
    """Calls a hook with the operation's name and its path before every operation of a share."""

    def __init__(self, share: Share, hook: Hook) -> None:
        self._share, self._hook = share, hook

    @property
    def label(self) -> str:
        return self._share.label

    def list(self, folder: SharePath) -> Iterator[Entry]:
        self._hook("list", folder)
        yield from self._share.list(folder)

    def stat(self, path: SharePath) -> Entry | None:
        self._hook("stat", path)
        return self._share.stat(path)

    def read(self, path: SharePath, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        for piece in self._share.read(path, start, length):
            self._hook("read", path)
            yield piece

    def allocate(self, path: SharePath, size: int) -> None:
        self._hook("allocate", path)
        self._share.allocate(path, size)

    def write(self, path: SharePath, start: int, source: BinaryIO, length: int) -> None:
        self._hook("write", path)
        self._share.write(path, start, source, length)

    def rename(self, source: SharePath, target: SharePath, *, replace: bool) -> None:
        self._hook("rename", target)
        self._share.rename(source, target, replace=replace)

    def delete(self, path: SharePath) -> None:
        self._hook("delete", path)
        self._share.delete(path)

    def place_of(self, local: Path) -> SharePath | None:
        return self._share.place_of(local)


def read_only(operation: str, path: SharePath) -> None:
    """A share that is mounted for reading."""
    if operation not in {"list", "stat", "read"}:
        raise ShareDenied(f"{path}: the share is to be read only")


def latency(seconds: float) -> Hook:
    """A network between: every operation takes so long at least."""

    def wait(_operation: str, _path: SharePath) -> None:
        time.sleep(seconds)

    return wait
