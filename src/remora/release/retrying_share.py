"""A share whose calls are tried again while it can't be reached."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from remora.errors import ShareExists, ShareNotFound, ShareUnavailable
from remora.release.share import Entry, Share
from remora.release.share_path import SharePath

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a share: ``total`` seconds for one call, with pauses that double from
    ``first`` to ``longest``, or as long as the share asks for. ``on_wait`` hears why, and how long
    the next pause is."""

    total: float = 60.0
    first: float = 0.25
    longest: float = 8.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    on_wait: Callable[[ShareUnavailable, float], None] = lambda _error, _pause: None


class RetryingShare:
    """Another share, and patience with it. Only `ShareUnavailable` is worth another try."""

    def __init__(self, share: Share, patience: Patience | None = None) -> None:
        self._share = share
        self._patience = patience or Patience()

    @property
    def label(self) -> str:
        return self._share.label

    def list(self, folder: SharePath) -> Iterator[Entry]:
        yield from self._insist(lambda: tuple(self._share.list(folder)))

    def stat(self, path: SharePath) -> Entry | None:
        return self._insist(lambda: self._share.stat(path))

    def read(self, path: SharePath, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Goes on behind the last piece that came."""
        done, pieces = 0, self._share.read(path, start, length)

        def following() -> bytes | None:
            nonlocal pieces
            try:
                return next(pieces, None)
            except ShareUnavailable:
                left = None if length is None else length - done
                pieces = self._share.read(path, start + done, left)
                raise

        while (piece := self._insist(following)) is not None:
            done += len(piece)
            yield piece

    def allocate(self, path: SharePath, size: int) -> None:
        self._insist(lambda: self._share.allocate(path, size))

    def write(self, path: SharePath, start: int, source: BinaryIO, length: int) -> None:
        begin = source.tell()

        def whole() -> None:
            source.seek(begin)
            self._share.write(path, start, source, length)

        self._insist(whole)

    def rename(self, source: SharePath, target: SharePath, *, replace: bool) -> None:
        tries = 0

        def once() -> None:
            nonlocal tries
            tries += 1
            try:
                self._share.rename(source, target, replace=replace)
            except (ShareExists, ShareNotFound):
                # The earlier try may have been done, and only its answer been lost.
                if tries == 1 or self._share.stat(source) or not self._share.stat(target):
                    raise

        self._insist(once)

    def delete(self, path: SharePath) -> None:
        self._insist(lambda: self._share.delete(path))

    def place_of(self, local: Path) -> SharePath | None:
        return self._share.place_of(local)

    def _insist(self, call: Callable[[], Result]) -> Result:
        patience = self._patience
        begin, pause = patience.clock(), patience.first
        while True:
            try:
                return call()
            except ShareUnavailable as error:
                away = patience.clock() - begin
                pause = max(pause, error.retry_after or 0.0)
                if away + pause > patience.total:
                    raise ShareUnavailable(
                        f"{error}; it was waited for {away:.0f} s", hint=error.hint
                    ) from error
                patience.on_wait(error, pause)
                patience.sleep(pause)
                pause = min(2 * pause, patience.longest)
