"""Brings Remora onto a share, for containers that start from there."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from remora.container import start
from remora.container.runtime_archive import build, recipe, requirements_of
from remora.release.blobs import blob, stored
from remora.release.digests import DigestCache
from remora.release.documents import write_document
from remora.release.manifest import Content, Role, RuntimeArchive
from remora.release.progress import Listener, Meter, silent
from remora.release.runtime import Runtime
from remora.release.share import Share
from remora.release.share_path import SharePath
from remora.release.sync import WORKERS
from remora.release.upload import Journal, upload

START = SharePath.parse(".remora/start.py")  # what a container's command runs


def bring(
    roles: Collection[Role],
    runtime: Runtime,
    served: Content | None,
    have: Collection[str],
    share: Share,
    cache: DigestCache,
    state: Path,
    *,
    transformers: bool = False,
    listener: Listener = silent,
) -> dict[Role, RuntimeArchive] | None:
    """What a release's manifest says of its containers' runtimes; None for no roles.

    ``transformers`` says that the base model runs on its code, and so needs it. What the ``served``
    release has of the same recipe is taken as it is, whoever built it, if it is among the digests
    that the share has (``have``): then nothing is built, asked or sent. ``state`` keeps what need
    not be made twice. Raises `ReleaseError` for what can't be built, and `ShareError`.
    """
    known = (served.runtime if served else None) or {}
    found: dict[Role, RuntimeArchive] = {}
    missing: dict[Role, str] = {}
    for role in sorted(roles):
        wanted = recipe(requirements_of(role, transformers=transformers), runtime, cache)
        archive = known.get(role)
        if archive and archive.recipe == wanted and archive.digest in have:
            found[role] = archive
        else:
            missing[role] = wanted
    if missing:

        def built(role: Role) -> Path:
            needed = requirements_of(role, transformers=transformers)
            return build(needed, runtime, state, missing[role])

        with ThreadPoolExecutor(len(missing)) as pool:
            archives = dict(zip(missing, pool.map(built, missing), strict=True))
        digests = _sent(archives, share, cache, state, listener)
        program = Path(start.__file__).read_bytes()
        write_document(share, START, program, replace=True)
        for role, wanted in missing.items():
            found[role] = RuntimeArchive(
                digest=digests[role],
                size=archives[role].stat().st_size,
                path=str(blob(digests[role])),
                python=runtime.python,
                platform=runtime.platform,
                recipe=wanted,
            )
    cache.save()
    return found or None


def _sent(
    archives: dict[Role, Path],
    share: Share,
    cache: DigestCache,
    state: Path,
    listener: Listener,
) -> dict[Role, str]:
    """Upload what the share lacks; returns the digests of all."""
    meter = Meter(sum(path.stat().st_size for path in archives.values()), listener)
    digests: dict[Role, str] = {}
    with FileLock(state / "sync.lock"), ThreadPoolExecutor(WORKERS) as pool:
        have = stored(share)
        for role, path in archives.items():
            digests[role] = cache.of(path)
            if digests[role] in have:
                meter.add(path.stat().st_size)
            else:
                journal = Journal.open(state / "uploads", path, share.label)
                upload(share, path, journal, cache, pool, meter.add)
    return digests
