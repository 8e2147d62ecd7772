"""Releases on a share: publish one, read the current one, look back, and go back."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Callable
from dataclasses import dataclass

from remora.errors import ReleaseBroken, ReleaseConflict, ReleaseNotFound, ShareNotFound
from remora.release import log
from remora.release.changes import Change, changes
from remora.release.documents import read_document, write_document
from remora.release.log import LogEntry
from remora.release.manifest import Content, Release, manifest_path, parse_release, short
from remora.release.share import Share


@dataclass(frozen=True, slots=True)
class Published:
    """A release, and the log entry that made it current."""

    entry: LogEntry
    release: Release

    @property
    def id(self) -> str:
        return self.entry.release


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the history. ``release`` is None if its manifest is lost or damaged;
    ``changes`` compares it with the step before."""

    entry: LogEntry
    release: Release | None
    changes: tuple[Change, ...]
    is_current: bool


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who makes a release, and from what."""

    author: str
    commit: str | None = None
    dirty: bool = False
    message: str | None = None


def utc_now() -> dt.datetime:
    """The time of this machine; nothing depends on its order."""
    return dt.datetime.now(dt.UTC)


def user() -> str:
    """The name of who runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def current(share: Share) -> Published | None:
    """What the share says is to be served, or None before the first release."""
    entry = log.latest(share)
    return None if entry is None else Published(entry, load(share, entry.release))


def load(share: Share, id_: str) -> Release:
    """A release by its full id; raises `ReleaseNotFound` or `ReleaseBroken`."""
    try:
        return parse_release(id_, read_document(share, manifest_path(id_)))
    except ShareNotFound as error:
        raise ReleaseNotFound(f"the share holds no release {short(id_)}") from error


def publish(
    share: Share,
    content: Content,
    provenance: Provenance,
    *,
    expected: LogEntry | None,
    served: Release | None = None,
    now: Callable[[], dt.datetime] = utc_now,
) -> Published:
    """Make a content current; all of its files must be on the share already.

    ``expected`` is the entry that the caller took for current when it began, and ``served`` its
    release, if the caller has read it. Content that is current already is not published again.
    Raises `ReleaseConflict` if another is current by now.
    """
    release = Release(
        content=content,
        created=now(),
        author=provenance.author,
        commit=provenance.commit,
        dirty=provenance.dirty,
        message=provenance.message,
        parent=expected.release if expected else None,
    )
    _refuse_if_superseded(share, expected)
    if expected:
        served = served or _known(share, expected.release)
        if served and served.content == content:
            return Published(expected, served)
    write_document(share, manifest_path(release.id), release.to_json(), replace=True)
    entry = LogEntry(
        sequence=expected.sequence + 1 if expected else 1,
        release=release.id,
        action="publish",
        at=release.created,
        by=provenance.author,
    )
    return Published(log.append(share, entry), release)


def rollback(
    share: Share,
    id_: str | None = None,
    *,
    author: str | None = None,
    now: Callable[[], dt.datetime] = utc_now,
) -> Published:
    """Make an earlier release current again, as a new entry of the log.

    ``id_`` may be shortened; None means the release that was current before this one. Raises
    `ReleaseNotFound` naming what there is.
    """
    entries = log.entries(share)
    if not entries:
        raise ReleaseNotFound("nothing was released yet", hint="`remora deploy` makes a release.")
    served = entries[-1]
    wanted = _matching(entries, id_) if id_ else _before(entries)
    release = load(share, wanted)
    if wanted == served.release:
        return Published(served, release)
    entry = LogEntry(
        sequence=served.sequence + 1,
        release=wanted,
        action="rollback",
        at=now(),
        by=author or user(),
    )
    return Published(log.append(share, entry), release)


def history(share: Share) -> list[Step]:
    """Everything that was ever current, the oldest first, with what changed at each step."""
    entries = log.entries(share)
    known = {id_: _known(share, id_) for id_ in dict.fromkeys(entry.release for entry in entries)}
    before: Content | None = None
    steps = []
    for entry in entries:
        release = known[entry.release]
        after = release.content if release else None
        found = tuple(changes(before, after)) if after else ()
        steps.append(Step(entry, release, found, is_current=entry is entries[-1]))
        before = after or before
    return steps


def _known(share: Share, id_: str) -> Release | None:
    try:
        return load(share, id_)
    except (ReleaseNotFound, ReleaseBroken):
        return None


def _refuse_if_superseded(share: Share, expected: LogEntry | None) -> None:
    found = log.latest(share, expected)
    if found is not None and (expected is None or found.sequence != expected.sequence):
        raise ReleaseConflict(
            f"{found.by} made the release {short(found.release)} current in the meantime;"
            " yours was not published",
            hint="Look at it with `remora releases`, then run the command again.",
        )


def _before(entries: list[LogEntry]) -> str:
    """What was current before the current release came, whatever was tried in between."""
    served = entries[-1].release
    for entry in reversed(entries):
        if entry.release != served:
            return entry.release
    raise ReleaseNotFound("there is no release before the current one")


def _matching(entries: list[LogEntry], prefix: str) -> str:
    ids = dict.fromkeys(entry.release for entry in entries)
    found = [id_ for id_ in ids if id_.startswith(prefix.lower())]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(short(id_) for id_ in found or ids)
    what = "is the beginning of several releases" if found else "is no release of this share"
    raise ReleaseNotFound(f"{prefix} {what}", hint=f"There are: {listed}.")
