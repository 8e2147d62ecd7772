"""SHA-256 of a file in pieces of a chosen size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import BinaryIO

_PIECE = 1024 * 1024  # bytes


def stream_digest(
    file: BinaryIO, on_bytes: Callable[[int], None] = lambda count: None, *, piece: int = _PIECE
) -> str:
    """SHA-256 (hex) of what is left of a file; ``on_bytes`` is told the size of each piece.

    After each the thread needs Python's lock again, and may wait 5 ms for it while another one
    computes or imports: the larger the ``piece`` [bytes], the less of that.
    """
    total, buffer = hashlib.sha256(), memoryview(bytearray(piece))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        total.update(buffer[:count])
        on_bytes(count)
    return total.hexdigest()
