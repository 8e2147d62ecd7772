"""Entries of a share's log that a server could not serve: not tried again when it starts anew.

What is refused is an entry, not a release: publishing or rolling back makes another entry, and so
another try.
"""

from __future__ import annotations

from pydantic import ValidationError

from remora.errors import RemoraError, ShareNotFound
from remora.release.documents import read_document, write_document
from remora.release.manifest import Part
from remora.release.share import Share
from remora.release.share_path import SharePath

REFUSED = SharePath.parse(".remora/refused")


class Refusal(Part):
    """Why an entry was not served, and what to do about it."""

    reason: str
    hint: str | None = None

    @classmethod
    def of(cls, error: RemoraError) -> Refusal:
        return cls(reason=str(error), hint=error.hint)


def refusal(share: Share, sequence: int) -> Refusal | None:
    """Why an entry was refused, or None if it was not. Raises `ShareError`."""
    try:
        return Refusal.model_validate_json(read_document(share, _path(sequence)))
    except (ShareNotFound, ValidationError):
        return None


def refuse(share: Share, sequence: int, why: Refusal) -> None:
    """Note that an entry can't be served. Raises `ShareError`, also on a share to read only."""
    write_document(share, _path(sequence), why.model_dump_json().encode(), replace=True)


def forgive(share: Share, sequence: int) -> None:
    """Let an entry be tried again."""
    share.delete(_path(sequence))


def _path(sequence: int) -> SharePath:
    return REFUSED / f"{sequence:08}.json"
