"""Deletes what no release needs that is kept: manifests of old releases, and their blobs.

A deployment may rely on a blob that it found, and make it current at this moment. So nothing is
deleted from its place: it is moved aside, the log is read again, and what a newer entry needs is
moved back; only then the rest goes. Who makes a release current looks afterwards whether all of it
is there, and moves it back, too (`aside.secure`). Whoever is later finds what the other did.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from remora.errors import ShareNotFound
from remora.release import log
from remora.release.aside import ASIDE, blobs_of, move
from remora.release.blobs import BLOBS, blob
from remora.release.documents import INCOMING, read_document
from remora.release.log import LogEntry
from remora.release.manifest import RELEASES, manifest_path, parse_release
from remora.release.refusals import refusal
from remora.release.share import Entry, Share
from remora.release.share_path import SharePath

HOUR = 60 * 60 * 1_000_000_000  # ns
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is deleted, or would be: releases by their ids, and blobs by their digests with their
    sizes [bytes]. ``kept`` are the releases that stay, the newest first."""

    kept: tuple[str, ...]
    releases: tuple[str, ...]
    blobs: Mapping[str, int]

    @property
    def bytes(self) -> int:
        return sum(self.blobs.values())


def plan_pruning(share: Share, keep: int, *, serving: Collection[str] = ()) -> Pruning:
    """What may go so that the last ``keep`` releases can be served, and those of ``serving``.

    What was current within the last hour stays, for a server may be on its way from it; and so does
    what was written within the last day and may belong to a deployment that is under way. Raises
    `ReleaseBroken` if the manifest of a release that is kept can't be read: nobody knows then what
    it needs.
    """
    entries = log.entries(share)
    if not entries:
        return Pruning((), (), {})
    now = _now(share)
    kept = _kept(share, entries, keep, now, serving)
    needed = _needed(share, kept)
    logged = {entry.release for entry in entries}
    return Pruning(
        kept=tuple(kept),
        releases=tuple(
            id_
            for id_, written in sorted(_manifests(share, RELEASES).items())
            if id_ not in kept and (id_ in logged or now - written > DAY)
        ),
        blobs={
            entry.path.name: entry.size
            for entry in _listed(share, BLOBS)
            if entry.path.name not in needed and now - entry.modified > DAY
        },
    )


def prune(share: Share, keep: int, *, serving: Collection[str] = ()) -> Pruning:
    """Delete what `plan_pruning` finds; returns what was deleted. Raises as that does."""
    _bring_back(share, keep, serving)  # What one that was broken off has left.
    plan = plan_pruning(share, keep, serving=serving)
    for id_ in plan.releases:
        place = manifest_path(id_)
        move(share, place, ASIDE / place.name)
    for digest in plan.blobs:
        move(share, blob(digest), ASIDE / digest)
    _bring_back(share, keep, serving)
    gone = set()
    for entry in _listed(share, ASIDE):
        share.delete(entry.path)
        gone.add(entry.path.name)
    return replace(
        plan,
        releases=tuple(id_ for id_ in plan.releases if manifest_path(id_).name in gone),
        blobs={digest: size for digest, size in plan.blobs.items() if digest in gone},
    )


def _kept(
    share: Share, entries: list[LogEntry], keep: int, now: int, serving: Collection[str]
) -> list[str]:
    """Releases whose manifests are there, or aside, and that must not go; the newest first."""
    there = _manifests(share, RELEASES) | _manifests(share, ASIDE)
    newest = [e for e in dict.fromkeys(e.release for e in reversed(entries)) if e in there]
    served = next((e for e in reversed(entries) if refusal(share, e.sequence) is None), None)
    written = {entry.path: entry.modified for entry in _listed(share, log.LOG)}
    recent = {
        earlier.release
        for earlier, later in pairwise(entries)
        if now - written.get(log.place(later), now) < HOUR
    }
    stay = {*newest[: max(1, keep)], *recent, *serving, *([served.release] if served else [])}
    return [id_ for id_ in newest if id_ in stay]


def _needed(share: Share, releases: Collection[str]) -> set[str]:
    """Digests of all blobs of these releases, as far as their manifests are in their place."""
    needed = set[str]()
    for id_ in releases:
        try:
            raw = read_document(share, manifest_path(id_))
        except ShareNotFound:
            continue
        needed |= blobs_of(parse_release(id_, raw).content)
    return needed


def _bring_back(share: Share, keep: int, serving: Collection[str]) -> None:
    """Move back what is aside and needed by now."""
    aside = {entry.path.name for entry in _listed(share, ASIDE)}
    if not aside:
        return
    kept = _kept(share, log.entries(share), keep, _now(share), serving)
    for id_ in kept:
        if manifest_path(id_).name in aside:
            move(share, ASIDE / manifest_path(id_).name, manifest_path(id_))
    for digest in _needed(share, kept) & aside:
        move(share, ASIDE / digest, blob(digest))


def _now(share: Share) -> int:
    """The share's own time, in ns since 1970: that of a file which is made now."""
    place = INCOMING / uuid.uuid4().hex
    share.allocate(place, 1)
    try:
        share.write(place, 0, io.BytesIO(b"\n"), 1)
        found = share.stat(place)
    finally:
        share.delete(place)
    assert found is not None
    return found.modified


def _manifests(share: Share, folder: SharePath) -> dict[str, int]:
    """The releases whose manifests are in a folder, and when these were written."""
    return {
        entry.path.name.removesuffix(".json"): entry.modified
        for entry in _listed(share, folder)
        if entry.path.name.endswith(".json")
    }


def _listed(share: Share, folder: SharePath) -> list[Entry]:
    try:
        return list(share.list(folder))
    except ShareNotFound:
        return []
