"""Files that only the share holds: their digests, and copies of them that stay as they are."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from typing import BinaryIO, cast

from remora.errors import ShareNotFound
from remora.release.blobs import blob
from remora.release.digests import DigestCache
from remora.release.documents import beside
from remora.release.share import Entry, Share
from remora.release.share_path import SharePath
from remora.release.sources import Source

WHOLE = 64 * 1024 * 1024  # bytes up to which a file that stays is read whole
_SAMPLE = 1024 * 1024


def is_sampled(source: Source) -> bool:
    """Whether a file is told by a sample: reading a large base over a network takes minutes."""
    return source.local is None and source.stays and source.size > WHOLE


def digest_on_share(
    source: Source, share: Share, cache: DigestCache, on_bytes: Callable[[int], None]
) -> str:
    """The digest of a file that only the share holds."""
    entry = _entry(source, share)
    key, state = f"{share.label}:{entry.path}", f"{entry.size}-{entry.modified}"
    if digest := cache.recall(key, state):
        on_bytes(source.size)
        return digest
    total = hashlib.sha256()
    ranges: list[tuple[int, int | None]] = [(0, None)]
    if is_sampled(source):
        total.update(state.encode())
        ranges = [(0, _SAMPLE), (entry.size - _SAMPLE, _SAMPLE)]
    for start, length in ranges:
        for piece in share.read(entry.path, start, length):
            total.update(piece)
            on_bytes(len(piece))
    cache.remember(key, state, total.hexdigest())
    return total.hexdigest()


def copy_within(source: Source, digest: str, share: Share) -> None:
    """Make a blob of a file on the share, so that a release holds it whatever becomes of it."""
    entry = _entry(source, share)
    total = hashlib.sha256()
    with tempfile.TemporaryFile(buffering=0) as copy, beside(share) as partial:
        for piece in share.read(entry.path):
            total.update(piece)
            copy.write(piece)
        if total.hexdigest() != digest:
            raise ShareNotFound(
                f"{entry.path} changed while it was read", hint="Wait until it is written."
            )
        copy.seek(0)
        share.allocate(partial, entry.size)
        share.write(partial, 0, cast(BinaryIO, copy), entry.size)
        share.rename(partial, blob(digest), replace=True)


def _entry(source: Source, share: Share) -> Entry:
    place = source.place or SharePath()
    entry = share.stat(place)
    if entry is None or entry.is_folder:
        raise ShareNotFound(f"there is no file {place} on the share {share.label}")
    return entry
