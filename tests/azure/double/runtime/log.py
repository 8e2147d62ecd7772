"""Lines with their times, to be read from the end and followed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from tests.azure.double.state import now

_KEPT = 2000


@dataclass(frozen=True)
class Line:
    time: str
    text: str


class Log:
    """``total`` counts all lines that were ever written."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=_KEPT)
        self._waiting: set[asyncio.Event] = set()
        self.total = 0

    def write(self, text: str) -> None:
        self._lines.append(Line(now(), text))
        self.total += 1
        for event in self._waiting:
            event.set()

    def tail(self, count: int) -> list[Line]:
        return list(self._lines)[max(0, len(self._lines) - count) :]

    async def follow(self, count: int) -> AsyncGenerator[Line, None]:
        """The last ``count`` lines, then those to come; never ends by itself."""
        seen = self.total - min(count, len(self._lines))
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            while True:
                event.clear()
                for line in self.tail(self.total - seen):
                    yield line
                seen = self.total
                await event.wait()
        finally:
            self._waiting.discard(event)
