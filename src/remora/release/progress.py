"""How far a transfer is: bytes, rate, time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

INTERVAL = 0.2  # seconds between two reports at least
_MEMORY = 5.0  # seconds that the rate looks back


@dataclass(frozen=True, slots=True)
class Progress:
    """A report: bytes done and in all, bytes a second, and seconds left if that can be said."""

    done: int
    total: int
    rate: float
    seconds_left: float | None


Listener = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Hears of nothing."""


class Meter:
    """Adds up what several threads transfer, and reports now and then and at the end."""

    def __init__(
        self, total: int, listener: Listener, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._listener, self._clock = total, listener, clock
        self._done = 0
        self._marks = [(clock(), 0)]
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count bytes that arrived."""
        with self._lock:
            self._done += count
            now = self._clock()
            if now - self._marks[-1][0] < INTERVAL and self._done < self._total:
                return
            self._marks = [m for m in self._marks if now - m[0] <= _MEMORY] or self._marks[-1:]
            self._marks.append((now, self._done))
            begin, before = self._marks[0]
            rate = (self._done - before) / (now - begin) if now > begin else 0.0
            left = (self._total - self._done) / rate if rate > 0 else None
            report = Progress(self._done, self._total, rate, left)
        self._listener(report)
