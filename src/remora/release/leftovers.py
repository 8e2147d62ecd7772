"""What broken-off uploads left on a share."""

from __future__ import annotations

from remora.errors import ShareNotFound
from remora.release import log
from remora.release.documents import INCOMING
from remora.release.log import LogEntry
from remora.release.share import Share

DAY = 24 * 60 * 60 * 1_000_000_000  # ns


def delete_leftovers(share: Share, entry: LogEntry) -> None:
    """Delete partial files that nobody wrote to on the day before a log entry was made.

    Both times are the share's. An upload that comes back after that begins anew.
    """
    made = share.stat(log.place(entry))
    if made is None:
        return
    try:
        partials = list(share.list(INCOMING))
    except ShareNotFound:
        return
    for partial in partials:
        if made.modified - partial.modified > DAY:
            share.delete(partial.path)
