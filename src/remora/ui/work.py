"""Work that a page watches, and that its Stop button ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

EVERY = 0.1  # s between two looks: what a person sees as flowing, and a browser draws with ease


@dataclass(slots=True)
class Stops:
    """The stop signals of what runs now, by browser tab and page."""

    _signals: dict[tuple[str, str], asyncio.Event] = field(default_factory=dict)

    def begin(self, tab: str, page: str) -> asyncio.Event:
        """A new signal; what still runs on that page is stopped."""
        self.stop(tab, page)
        signal = self._signals[tab, page] = asyncio.Event()
        return signal

    def stop(self, tab: str, page: str) -> None:
        """Stop what runs on a page; harmless if nothing does."""
        if signal := self._signals.pop((tab, page), None):
            signal.set()

    def leave(self, tab: str) -> None:
        """Stop all of a tab that was closed."""
        for key in [key for key in self._signals if key[0] == tab]:
            self.stop(*key)


async def follow(
    work: Sequence[Coroutine[Any, Any, None]], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Run the work at once; a look every `EVERY` seconds until it has ended or ``stop`` is set.

    Whatever ends this, what still runs is cancelled and awaited.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    stopping = asyncio.create_task(stop.wait())
    whole = asyncio.gather(*tasks, return_exceptions=True)
    watched: set[asyncio.Future[Any]] = {whole, stopping}
    try:
        while True:
            done, _ = await asyncio.wait(
                watched, timeout=EVERY, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                break
            yield
    finally:
        stopping.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
