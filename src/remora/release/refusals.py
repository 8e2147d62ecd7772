"""Entries of a share's log that a server could not serve: not tried again when it starts anew.

What is refused is an entry, not a release: publishing or rolling back makes another entry, and so
another try.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from remora.errors import RemoraError, ShareDenied, ShareNotFound
from remora.release.documents import read_document, write_document
from remora.release.manifest import Part
from remora.release.share import Share
from remora.release.share_path import SharePath

REFUSED = SharePath.parse(".remora/refused")
_FORGIVEN = b"null"


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
        return Refusal.model_validate_json(read_document(share, REFUSED / _name(sequence)))
    except (ShareNotFound, ValidationError):
        return None


def refuse(share: Share, sequence: int, why: Refusal) -> None:
    """Note that an entry can't be served. Raises `ShareError`, also on a share to read only."""
    content = why.model_dump_json().encode()
    write_document(share, REFUSED / _name(sequence), content, replace=True)


@dataclass(frozen=True, slots=True)
class Refusals:
    """What one server has refused: noted on the share, or in ``folder`` of this machine where the
    share is to be read only. What ``folder`` says goes before what the share says."""

    share: Share
    folder: Path

    def of(self, sequence: int) -> Refusal | None:
        """Why an entry was refused, or None if it was not. Raises `ShareError`."""
        try:
            own = (self.folder / _name(sequence)).read_bytes()
        except FileNotFoundError:
            return refusal(self.share, sequence)
        return None if own == _FORGIVEN else Refusal.model_validate_json(own)

    def refuse(self, sequence: int, why: Refusal) -> None:
        """Note that an entry can't be served. Raises `ShareError`."""
        try:
            refuse(self.share, sequence, why)
        except ShareDenied:
            self._note(sequence, why.model_dump_json().encode())
        else:
            (self.folder / _name(sequence)).unlink(missing_ok=True)

    def forgive(self, sequence: int) -> None:
        """Let an entry be tried again. Raises `ShareError`."""
        try:
            self.share.delete(REFUSED / _name(sequence))
        except ShareDenied:
            self._note(sequence, _FORGIVEN)
        else:
            (self.folder / _name(sequence)).unlink(missing_ok=True)

    def _note(self, sequence: int, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / uuid.uuid4().hex
        beside.write_bytes(content)
        beside.replace(self.folder / _name(sequence))


def _name(sequence: int) -> str:
    return f"{sequence:08}.json"
