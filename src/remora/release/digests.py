"""SHA-256 of local files, remembered as long as a file doesn't change."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from remora.errors import ConfigError
from remora.formats.stream_digest import stream_digest

_SECOND = 1_000_000_000
# A file that changed so shortly before it was read may change again without a sign of it. File
# systems that count whole seconds, or two, need longer.
_FINE, _COARSE = _SECOND // 20, 2 * _SECOND


class DigestCache:
    """Digests by path, size, times and inode, kept in a file between runs; safe from threads.

    What the file holds is only ever a shortcut: one that is missing or damaged is written anew.
    """

    def __init__(self, file: Path, *, now: Callable[[], int] = time.time_ns) -> None:
        self._file = file
        self._now = now
        self._known = _read(file)
        self._changed = False
        self._lock = threading.Lock()

    def known(self, path: Path) -> str | None:
        """The digest of a file if it needs no reading."""
        return self.recall(str(path), identity(path))

    def of(self, path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
        """The digest of a file; ``on_bytes`` hears of every piece that had to be read.

        Raises `ConfigError` where the file can't be read, or changes meanwhile.
        """
        try:
            before = identity(path)
            if digest := self.recall(str(path), before):
                return digest
            settled = _settled(path.stat().st_mtime_ns, self._now())
            file = path.open("rb", buffering=0)
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}") from error
        with file:
            digest = stream_digest(file, on_bytes)
        if identity(path) != before:
            raise changed(path)
        if settled:
            self.remember(str(path), before, digest)
        return digest

    def recall(self, key: str, state: str) -> str | None:
        """The digest that was remembered for a key in this state."""
        with self._lock:
            found = self._known.get(key)
        return found[1] if found and found[0] == state else None

    def remember(self, key: str, state: str, digest: str) -> None:
        """Keep a digest for as long as the state is the same."""
        with self._lock:
            self._known[key] = (state, digest)
            self._changed = True

    def save(self) -> None:
        """Write the file, if there is anything new."""
        with self._lock:
            if not self._changed:
                return
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._file.with_name(f"{self._file.name}.{uuid.uuid4().hex}")
            beside.write_text(json.dumps(self._known, indent=0), encoding="utf-8")
            beside.replace(self._file)
            self._changed = False


def identity(path: Path) -> str:
    """What changes when a file does: size, times and inode."""
    found = path.stat()
    numbers = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino
    return "-".join(map(str, numbers))


def changed(path: Path) -> ConfigError:
    """The error for a file that somebody writes to."""
    return ConfigError(
        f"{path} changed while it was read", hint="Wait until it is written, then try again."
    )


def _settled(modified: int, now: int) -> bool:
    window = _COARSE if modified % _SECOND == 0 else _FINE
    return abs(now - modified) > window


def _read(file: Path) -> dict[str, tuple[str, str]]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {str(key): (str(state), str(digest)) for key, (state, digest) in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
