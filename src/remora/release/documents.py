"""Small files on a share, read and written whole."""

from __future__ import annotations

import io
import uuid

from remora.release.share import Share
from remora.release.share_path import SharePath

INCOMING = SharePath.parse(".remora/incoming")  # what is being written and not yet what it will be


def read_document(share: Share, path: SharePath) -> bytes:
    """All of a small file; raises `ShareNotFound` if there is none."""
    return b"".join(share.read(path))


def write_document(share: Share, path: SharePath, content: bytes, *, replace: bool) -> None:
    """Put a file there at once; raises `ShareExists` if one is there and ``replace`` is False."""
    beside = INCOMING / uuid.uuid4().hex
    try:
        share.allocate(beside, len(content))
        share.write(beside, 0, io.BytesIO(content), len(content))
        share.rename(beside, path, replace=replace)
    except BaseException:
        share.delete(beside)
        raise
