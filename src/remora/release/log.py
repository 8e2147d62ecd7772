"""The log of a share: which release was made current, one after the other.

Entry ``n`` is the file ``.remora/log/<n>.json``, and creating it is the one step that makes a
release current: only one of several writers can create a number, without locks and without clocks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from remora.errors import ReleaseConflict, ShareExists, ShareNotFound
from remora.release.documents import read_document, write_document
from remora.release.manifest import Digest, Part
from remora.release.share import Share
from remora.release.share_path import SharePath

LOG = SharePath.parse(".remora/log")
PATIENCE = 2.0  # seconds that another writer gets to finish an entry

_NAME = re.compile(r"(\d{8})\.json")


class LogEntry(Part):
    """One step of a share's history: from then on a release was current."""

    sequence: int = Field(ge=1, description="Its number; there are no gaps.")
    release: Digest = Field(description="The release.")
    action: Literal["publish", "rollback"] = Field(description="What was done.")
    at: AwareDatetime = Field(description="When, by the clock of who did it.")
    by: str = Field(description="Who did it.")


def latest(share: Share, known: LogEntry | None = None) -> LogEntry | None:
    """The entry that says what is current, or None on a share without releases. One that is
    ``known`` already is not read again: entries never change."""
    for number in reversed(_numbers(share)):
        if known is not None and number == known.sequence:
            return known
        if entry := _read(share, number):
            return entry
    return None


def newer(share: Share, known: LogEntry | None) -> LogEntry | None:
    """The current entry if it is another than the one known; costs one look at one file."""
    following = 1 if known is None else known.sequence + 1
    if share.stat(_path(following)) is None:
        return None
    found = latest(share)
    return None if found == known else found


def entries(share: Share) -> list[LogEntry]:
    """The whole history, oldest first."""
    return [entry for number in _numbers(share) if (entry := _read(share, number))]


def append(
    share: Share,
    entry: LogEntry,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> LogEntry:
    """Make a release current, if nobody else took the entry's number.

    Returns the entry as written. Raises `ReleaseConflict` if another was first.
    """
    content = entry.model_dump_json(indent=1).encode() + b"\n"
    try:
        write_document(share, _path(entry.sequence), content, replace=False)
    except ShareExists:
        pass
    else:
        return entry
    if _read(share, entry.sequence) is None:
        # It is being written, or who wrote it is no more: then its number is passed over.
        sleep(PATIENCE)
        if _read(share, entry.sequence) is None:
            following = entry.model_copy(update={"sequence": entry.sequence + 1})
            return append(share, following, sleep=sleep)
    other = _read(share, entry.sequence)
    by = f" by {other.by}" if other else ""
    raise ReleaseConflict(
        f"another release was made current{by} in the meantime; yours was not published",
        hint="Look at it with `remora releases`, then run the command again.",
    )


def place(entry: LogEntry) -> SharePath:
    """Where an entry lies."""
    return _path(entry.sequence)


def _path(number: int) -> SharePath:
    return LOG / f"{number:08}.json"


def _numbers(share: Share) -> list[int]:
    try:
        names = [entry.path.name for entry in share.list(LOG)]
    except ShareNotFound:
        return []
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def _read(share: Share, number: int) -> LogEntry | None:
    """An entry, or None while it is not whole."""
    try:
        return LogEntry.model_validate_json(read_document(share, _path(number)))
    except (ShareNotFound, ValidationError):
        return None
