"""One large file onto a share: in ranges, several at once, going on after it was broken off."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Executor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, field
from pathlib import Path

from remora.release.blobs import blob
from remora.release.digests import DigestCache, changed, identity
from remora.release.documents import INCOMING
from remora.release.share import Share
from remora.release.share_path import SharePath

RANGE = 16 * 1024 * 1024
AHEAD = 4 * RANGE  # bytes that the digest may be in front of what has arrived


@dataclass(slots=True)
class Journal:
    """Which ranges of a file arrived, noted on this machine: ``partial`` names what they arrived
    in, ``state`` the file's identity when it began."""

    file: Path
    state: str
    partial: str = field(default_factory=lambda: uuid.uuid4().hex)
    done: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, folder: Path, source: Path, share: str) -> Journal:
        """The journal of an upload that was broken off, or a new one."""
        key = hashlib.sha256(f"{share}\n{source}".encode()).hexdigest()[:32]
        file, state = folder / key, identity(source)
        try:
            head, *lines = file.read_text(encoding="utf-8").splitlines()
            stored = json.loads(head)
            if stored["state"] == state:
                done = {int(line) for line in lines if line.isdigit()}
                return cls(file, state, str(stored["partial"]), done)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # None, or not whole: begin anew.
        journal = cls(file, state)
        folder.mkdir(parents=True, exist_ok=True)
        head = json.dumps({"state": state, "partial": journal.partial})
        file.write_text(f"{head}\n", encoding="utf-8")
        return journal

    @property
    def place(self) -> SharePath:
        return INCOMING / self.partial

    def note(self, number: int) -> None:
        """Write down that a range arrived."""
        with self.lock, self.file.open("a", encoding="utf-8") as file:
            file.write(f"{number}\n")
            self.done.add(number)

    def close(self) -> None:
        """The upload is over, or can't go on."""
        self.file.unlink(missing_ok=True)


def upload(
    share: Share,
    source: Path,
    journal: Journal,
    cache: DigestCache,
    pool: Executor,
    on_bytes: Callable[[int], None],
) -> str:
    """Bring a file onto the share as a blob and return its digest.

    The digest is computed beside the ranges, in a thread of its own and not far in front of them:
    a file that is larger than the memory is read from disk once. Ranges that the journal says have
    arrived are read back and compared before they are relied on. What arrived stays for the next
    try if this one fails. Raises `ConfigError` if the file changes meanwhile.
    """
    size = source.stat().st_size
    entry = share.stat(journal.place)
    if entry is None or entry.size != size:
        journal.done.clear()
        share.allocate(journal.place, size)
    pace = _Pace()

    def transfer(number: int, start: int, length: int) -> None:
        if pace.stopped:
            return
        if number not in journal.done or not _equal(share, journal.place, source, start, length):
            with source.open("rb", buffering=0) as file:
                file.seek(start)
                share.write(journal.place, start, file, length)
            journal.note(number)
        pace.arrived(length)
        on_bytes(length)

    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(cache.of, source, pace.digested)
        tasks = [pool.submit(transfer, *item) for item in _ranges(size)]
        try:
            wait(tasks, return_when=FIRST_EXCEPTION)
        finally:
            pace.stop()
    for task in tasks:
        task.result()
    if identity(source) != journal.state:
        share.delete(journal.place)
        journal.close()
        raise changed(source)
    share.rename(journal.place, blob(digest.result()), replace=True)
    journal.close()
    return digest.result()


class _Pace:
    """Keeps the digest of a file near to what has arrived of it."""

    def __init__(self) -> None:
        self.stopped = False
        self._lead = 0  # bytes that were digested and have not arrived
        self._moved = threading.Condition()

    def digested(self, count: int) -> None:
        """Wait if that is too far in front; raises `CancelledError` where nothing more arrives."""
        with self._moved:
            self._lead += count
            self._moved.wait_for(lambda: self._lead <= AHEAD or self.stopped)
            if self._lead > AHEAD:
                raise CancelledError

    def arrived(self, count: int) -> None:
        with self._moved:
            self._lead -= count
            self._moved.notify()

    def stop(self) -> None:
        """Let nothing wait, and no further range begin."""
        with self._moved:
            self.stopped = True
            self._moved.notify()


def _ranges(size: int) -> Iterator[tuple[int, int, int]]:
    for number, start in enumerate(range(0, size, RANGE)):
        yield number, start, min(RANGE, size - start)


def _equal(share: Share, place: SharePath, source: Path, start: int, length: int) -> bool:
    with source.open("rb", buffering=0) as file:
        file.seek(start)
        left = length
        for piece in share.read(place, start, length):
            if file.read(len(piece)) != piece:
                return False
            left -= len(piece)
    return left == 0
