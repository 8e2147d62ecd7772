"""Files on a share by the digest of what is in them: written once, never changed."""

from __future__ import annotations

from remora.errors import ShareNotFound
from remora.release.share import Share
from remora.release.share_path import SharePath

BLOBS = SharePath.parse(".remora/blobs")


def blob(digest: str) -> SharePath:
    """Where a file with this SHA-256 lies."""
    return BLOBS / digest


def stored(share: Share) -> dict[str, int]:
    """Digests and sizes [bytes] of all that is there; one look at one folder."""
    try:
        return {entry.path.name: entry.size for entry in share.list(BLOBS)}
    except ShareNotFound:
        return {}
