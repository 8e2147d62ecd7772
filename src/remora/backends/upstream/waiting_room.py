"""Where requests wait for a server to wake: bounded, and left in the order of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from remora.errors import QueueFull

RETRY_AFTER = 15  # s


class WaitingRoom:
    """Places are futures: done when the door opens, failed when it can't, cancelled by leaving."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._places: dict[asyncio.Future[None], None] = {}

    def __len__(self) -> int:
        return len(self._places)

    def enter(self) -> asyncio.Future[None]:
        """Take a place behind all others. Raises `QueueFull`."""
        if len(self._places) >= self._capacity:
            raise QueueFull(
                f"{self._capacity} requests are waiting for the server to wake.",
                retry_after=RETRY_AFTER,
            )
        place = asyncio.get_running_loop().create_future()
        self._places[place] = None
        return place

    def leave(self, place: asyncio.Future[None]) -> None:
        """Give a place up at once; harmless for who has left."""
        self._places.pop(place, None)
        place.cancel()

    def open(self) -> None:
        """Let all out, in the order in which they came."""
        for place in self._emptied():
            if not place.done():
                place.set_result(None)

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Send all away, each with an error of its own."""
        for place in self._emptied():
            if not place.done():
                place.set_exception(error())

    def _emptied(self) -> list[asyncio.Future[None]]:
        places = list(self._places)
        self._places.clear()
        return places
