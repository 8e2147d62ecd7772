"""What is about to be deleted from a share, and how a release gets back what it needs of it."""

from __future__ import annotations

from contextlib import suppress

from remora.errors import ReleaseConflict, ShareNotFound
from remora.release.blobs import BLOBS, blob, stored
from remora.release.manifest import Content, manifest_path, short
from remora.release.publish import Published
from remora.release.share import Share
from remora.release.share_path import SharePath

ASIDE = SharePath.parse(".remora/aside")


def secure(share: Share, published: Published) -> None:
    """Let all of a release that was just made current be in its place.

    Raises `ReleaseConflict` if something of it was deleted meanwhile: then let what was current
    before be so again.
    """
    manifest = manifest_path(published.id)
    needed = blobs_of(published.release.content)
    missing = [blob(digest) for digest in needed - stored(share).keys()]
    if share.stat(manifest) is None:
        missing.append(manifest)
    for place in missing:
        move(share, ASIDE / place.name, place)
        if share.stat(place) is None:
            raise ReleaseConflict(
                f"files of the release {short(published.id)} were pruned by somebody meanwhile",
                hint="`remora deploy` brings them back.",
            )


def blobs_of(content: Content) -> set[str]:
    """Digests of the blobs that a release needs."""
    files = [*content.base.files, *(f for a in content.adapters.values() for f in a.files)]
    paths = [file.path for file in files]
    paths += [content.code.path] if content.code else []
    paths += [archive.path for archive in (content.runtime or {}).values()]
    places = [SharePath.parse(path) for path in paths]
    return {place.name for place in places if place.parent == BLOBS}


def move(share: Share, source: SharePath, target: SharePath) -> None:
    """Move a file that its name says all of, unless somebody else did."""
    with suppress(ShareNotFound):
        share.rename(source, target, replace=True)
