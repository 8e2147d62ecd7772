"""Buddy allocation of contiguous token ranges, free of torch.

A sequence's keys and values lie in one contiguous extent, so that attention reads them in place.
Extents come in powers of two, aligned to their own size (Knowlton 1965): extents of one size that
lie side by side can be viewed as one batch, without copying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SMALLEST = 256
"""Tokens of the smallest extent."""


@dataclass(frozen=True, slots=True, order=True)
class Extent:
    """Tokens ``start`` to ``start + size`` of the arena."""

    start: int
    size: int

    @property
    def stop(self) -> int:
        return self.start + self.size


class ExtentAllocator:
    """Hands out extents of an arena of ``total`` tokens, a multiple of `SMALLEST`.

    Invariant: free and allocated extents are disjoint, cover the arena, and no two free buddies
    stay unmerged.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._free: dict[int, set[int]] = {}
        self._taken: dict[int, int] = {}
        start = 0
        while total - start >= SMALLEST:
            size = SMALLEST
            while size * 2 <= total - start and start % (size * 2) == 0:
                size *= 2
            self._free.setdefault(size, set()).add(start)
            start += size

    @property
    def largest(self) -> int:
        """Tokens of the largest extent that an empty arena can give."""
        size = SMALLEST
        while size * 2 <= self.total:
            size *= 2
        return size

    @property
    def used(self) -> int:
        """Tokens handed out."""
        return sum(self._taken.values())

    def allocate(self, tokens: int, *, end: Literal["low", "high"] = "low") -> Extent | None:
        """An extent of at least ``tokens``, the lowest or highest that is free, or None."""
        size = size_for(tokens)
        candidates = [
            (start if end == "low" else start + have - size, start, have)
            for have, starts in self._free.items()
            if have >= size and starts
            for start in [min(starts) if end == "low" else max(starts)]
        ]
        if not candidates:
            return None
        place, start, have = min(candidates) if end == "low" else max(candidates)
        self._free[have].remove(start)
        while have > size:
            have //= 2
            keep, give_back = (start, start + have)
            if place >= start + have:
                keep, give_back = give_back, keep
            self._free.setdefault(have, set()).add(give_back)
            start = keep
        self._taken[start] = size
        return Extent(start, size)

    def free(self, extent: Extent) -> None:
        """Take an extent back and merge it with its free buddies."""
        if self._taken.pop(extent.start, None) != extent.size:
            raise ValueError(f"{extent} is not allocated")
        start, size = extent.start, extent.size
        while True:
            buddy = start ^ size
            if buddy not in self._free.get(size, ()):
                break
            self._free[size].remove(buddy)
            start, size = min(start, buddy), size * 2
        self._free.setdefault(size, set()).add(start)

    def check(self) -> None:
        """Raise AssertionError if the invariant is broken."""
        spans = sorted(
            [(start, size) for size, starts in self._free.items() for start in starts]
            + list(self._taken.items())
        )
        place = 0
        for start, size in spans:
            assert (start, start % size) == (place, 0), spans
            place += size
        assert place == self.total // SMALLEST * SMALLEST, spans
        for size, starts in self._free.items():
            assert not any(start ^ size in starts for start in starts), "unmerged buddies"


def size_for(tokens: int) -> int:
    """The size of the extent that holds so many tokens."""
    return max(SMALLEST, 1 << (tokens - 1).bit_length())
