"""One large file onto a share: in ranges, several at once, going on after it was broken off."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from dataclasses import dataclass, field
from pathlib import Path

from remora.release.blobs import blob
from remora.release.digests import DigestCache, changed, identity
from remora.release.documents import INCOMING
from remora.release.share import Share
from remora.release.share_path import SharePath

RANGE = 16 * 1024 * 1024


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

    Digest and ranges are computed side by side. Ranges that the journal says have arrived are read
    back and compared before they are relied on. What arrived stays for the next try if this one
    fails. Raises `ConfigError` if the file changes meanwhile.
    """
    size = source.stat().st_size
    entry = share.stat(journal.place)
    if entry is None or entry.size != size:
        journal.done.clear()
        share.allocate(journal.place, size)
    stop = threading.Event()

    def transfer(number: int, start: int, length: int) -> None:
        if stop.is_set():
            return
        if number not in journal.done or not _equal(share, journal.place, source, start, length):
            with source.open("rb", buffering=0) as file:
                file.seek(start)
                share.write(journal.place, start, file, length)
            journal.note(number)
        on_bytes(length)

    digest = pool.submit(cache.of, source)
    tasks = [pool.submit(transfer, *item) for item in _ranges(size)]
    try:
        wait(tasks, return_when=FIRST_EXCEPTION)
    finally:
        stop.set()
    for task in tasks:
        task.result()
    if identity(source) != journal.state:
        share.delete(journal.place)
        journal.close()
        raise changed(source)
    share.rename(journal.place, blob(digest.result()), replace=True)
    journal.close()
    return digest.result()


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
