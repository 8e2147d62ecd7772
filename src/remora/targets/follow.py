"""Lines of a log that another process writes, as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL = 0.1  # s between looks at the file
BLOCK = 64 * 1024


def lines(path: Path, *, follow: bool, wait: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """All whole lines of a file, and with ``follow`` those that come later.

    A file that was replaced by a new one is read on from the new one's beginning.
    """
    position, rest = 0, b""
    while True:
        piece = _read(path, position)
        if piece is None:
            position, rest = 0, b""
            continue
        if piece:
            position += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
            continue
        if not follow:
            if rest:
                yield rest.decode("utf-8", "replace")
            return
        wait(POLL)


def _read(path: Path, position: int) -> bytes | None:
    """What stands at a position; None if the file ends before it, and so is another one."""
    try:
        with path.open("rb") as file:
            if file.seek(0, 2) < position:
                return None
            file.seek(position)
            return file.read(BLOCK)
    except FileNotFoundError:
        return b""
