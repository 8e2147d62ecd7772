"""Small files on a share, read and written whole."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from remora.errors import ShareError
from remora.release.share import Share
from remora.release.share_path import SharePath

INCOMING = SharePath.parse(".remora/incoming")  # what is being written and not yet what it will be


def read_document(share: Share, path: SharePath) -> bytes:
    """All of a small file; raises `ShareNotFound` if there is none."""
    return b"".join(share.read(path))


def write_document(share: Share, path: SharePath, content: bytes, *, replace: bool) -> None:
    """Put a file there at once; raises `ShareExists` if one is there and ``replace`` is False."""
    with beside(share) as partial:
        share.allocate(partial, len(content))
        share.write(partial, 0, io.BytesIO(content), len(content))
        share.rename(partial, path, replace=replace)


@contextmanager
def beside(share: Share) -> Iterator[SharePath]:
    """A place for a file that is renamed when it is whole; what fails leaves nothing there."""
    partial = INCOMING / uuid.uuid4().hex
    try:
        yield partial
    except BaseException:
        with suppress(ShareError):  # The first error is the one to tell.
            share.delete(partial)
        raise
