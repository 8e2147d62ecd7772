"""Brings what a release needs onto the share: only what is missing, and once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from remora.release import log
from remora.release.blobs import blob, stored
from remora.release.digests import DigestCache, changed, identity
from remora.release.documents import beside
from remora.release.log import LogEntry
from remora.release.on_share import copy_within, digest_on_share
from remora.release.progress import Listener, Meter, silent
from remora.release.share import Share
from remora.release.sources import Source, Sources
from remora.release.upload import Journal, upload

SMALL = 16 * 1024 * 1024  # bytes up to which a file goes in one piece
WORKERS = 4


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is, before anything is changed. ``digests`` lacks files of which it is clear
    without reading them that the share can't have them; ``missing`` is what would be uploaded, and
    ``stored`` are the digests of the blobs that are there."""

    sources: Sources
    digests: Mapping[Source, str]
    missing: tuple[Source, ...]
    stored: frozenset[str]
    current: LogEntry | None

    @property
    def missing_bytes(self) -> int:
        return sum(source.size for source in self.missing)


def survey(
    sources: Sources, share: Share, cache: DigestCache, *, listener: Listener = silent
) -> Survey:
    """Find out which files the share lacks; reads only files that are new or changed."""
    entry, have = log.latest(share), stored(share)
    sizes = set(have.values())
    known: dict[Source, str] = {}
    to_read: list[Source] = []
    for source in dict.fromkeys(sources):
        digest = cache.known(source.local) if source.local else None
        if digest:
            known[source] = digest
        elif not source.local or source.stays or source.size <= SMALL or source.size in sizes:
            to_read.append(source)
    meter = Meter(sum(source.size for source in to_read), listener)

    def read(source: Source) -> str:
        if source.local:
            return cache.of(source.local, meter.add)
        return digest_on_share(source, share, cache, meter.add)

    with ThreadPoolExecutor(WORKERS) as pool:
        known.update(zip(to_read, pool.map(read, to_read), strict=True))
    cache.save()
    missing = [
        source
        for source in dict.fromkeys(sources)
        if not source.stays and known.get(source) not in have
    ]
    return Survey(sources, known, tuple(missing), frozenset(have), entry)


def sync(
    found: Survey,
    share: Share,
    cache: DigestCache,
    state: Path,
    *,
    listener: Listener = silent,
) -> dict[Source, str]:
    """Upload what is missing; returns the digests of all files.

    ``state`` is a folder of this machine that remembers what arrived of large files, so that an
    upload that was broken off goes on. Two of these in one ``state`` take turns.
    """
    digests = dict(found.digests)
    if not found.missing:
        return digests
    state.mkdir(parents=True, exist_ok=True)
    with FileLock(state / "sync.lock"), ThreadPoolExecutor(WORKERS) as pool:
        meter = Meter(found.missing_bytes, listener)
        have = stored(share)
        small = [source for source in found.missing if source.local is None or _is_small(source)]
        large = [source for source in found.missing if source not in small]

        def send(source: Source) -> None:
            if digests[source] not in have:
                _send_whole(source, digests[source], share)
            meter.add(source.size)

        list(pool.map(send, {digests[source]: source for source in small}.values()))
        for source in large:
            if digests.get(source) in have:
                meter.add(source.size)
            else:
                journal = Journal.open(state / "uploads", _local(source), share.label)
                digests[source] = upload(share, _local(source), journal, cache, pool, meter.add)
        cache.save()
    return digests


def _is_small(source: Source) -> bool:
    return source.size <= SMALL


def _local(source: Source) -> Path:
    assert source.local is not None
    return source.local


def _send_whole(source: Source, digest: str, share: Share) -> None:
    if source.local is None:
        copy_within(source, digest, share)
        return
    before = identity(source.local)
    with beside(share) as partial, source.local.open("rb", buffering=0) as file:
        share.allocate(partial, source.size)
        share.write(partial, 0, file, source.size)
        if identity(source.local) != before:
            raise changed(source.local)
        share.rename(partial, blob(digest), replace=True)
