"""Which extent of the KV cache holds which sequence, and which finished ones are kept. No torch.

Running sequences lie at the low end of the arena, packed, so that attention sees few runs of
neighbouring rows. Finished ones are kept at the high end for prompts that begin alike, and give
way, least recently used first, whenever a running one needs the room.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from remora.engine.extents import Extent, ExtentAllocator, size_for
from remora.engine.prefix_index import BLOCK, PrefixIndex
from remora.engine.sequence import Sequence

_HEADROOM = 128
_LARGEST_MOVE = 1024


@dataclass(frozen=True, slots=True)
class CopyRow:
    """Copy the keys and values of the first ``length`` tokens from one extent to another."""

    source: Extent
    target: Extent
    length: int


@dataclass(frozen=True, slots=True)
class ClearRow:
    """Overwrite ``length`` tokens with zeros, since they may hold values that are not finite."""

    target: Extent
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A finished sequence whose keys and values are still there."""

    extent: Extent
    length: int


class KVRows:
    """Gives sequences their extents. What must be moved in memory is queued in `pending`.

    Sequences of more than ``switches_at`` tokens have other keys than shorter ones.
    """

    def __init__(
        self, total: int, *, prefix_cache: bool = True, switches_at: int | None = None
    ) -> None:
        self._allocator = ExtentAllocator(total)
        self._prefix_cache = prefix_cache
        self._switches_at = switches_at
        self._index = PrefixIndex()
        self._kept: OrderedDict[_Kept, None] = OrderedDict()
        self._active: dict[Extent, Sequence] = {}
        self.pending: list[CopyRow | ClearRow] = []

    @property
    def total(self) -> int:
        return self._allocator.total

    @property
    def largest(self) -> int:
        """The longest sequence that fits an empty cache."""
        return self._allocator.largest

    @property
    def used(self) -> int:
        """Tokens of the extents of running sequences; kept ones count as free."""
        return sum(extent.size for extent in self._active)

    def admit(self, sequence: Sequence) -> bool:
        """Give a sequence its extent, and as much of its prompt as a known row already holds."""
        room = min(sequence.max_length, sequence.length + _HEADROOM)
        sequence.long = sequence.exceeds(self._switches_at)
        match = self._index.find(_origin(sequence), sequence.tokens) if self._prefix_cache else None
        # At least one token must be computed, for its logits are what is sampled from.
        shared = min(match.length, sequence.length - 1) if match else 0
        extent = self._allocate(room, spare=match.owner if match else None)
        if extent is None and match is not None:
            # What was to be copied takes the room itself; without it there may be enough.
            match, shared, extent = None, 0, self._allocate(room)
        if extent is None:
            return False
        if match is not None and shared > 0:
            self.pending.append(CopyRow(self._touch(match.owner), extent, shared))
        sequence.computed = shared
        if sequence.generated == 0:
            sequence.cached = shared
        self._place(sequence, extent)
        return True

    def is_outdated(self, sequence: Sequence) -> bool:
        """Whether a running sequence has become too long for the keys that it has."""
        return not sequence.long and sequence.exceeds(self._switches_at)

    def grow(self, sequence: Sequence) -> bool:
        """Make room for one token more; moves to a larger extent where its own is full."""
        assert sequence.extent is not None
        if sequence.length <= sequence.extent.size:
            return True
        larger = self._allocate(sequence.length)
        if larger is None:
            return False
        self._move(sequence, larger)
        return True

    def share(self, sequence: Sequence) -> None:
        """Let other prompts find what this running sequence has computed."""
        if self._prefix_cache:
            self._index.put(sequence, _origin(sequence), sequence.tokens[: sequence.computed])

    def release(self, sequence: Sequence) -> None:
        """Take a sequence's extent back, keeping a copy of its values if there is room."""
        extent = sequence.extent
        if extent is None:
            return
        if sequence.proved_finite and self._prefix_cache:
            self._keep(sequence, extent)
        self._leave(sequence)
        sequence.computed = 0
        sequence.own_cache = None
        self._close_gap(extent)

    def check(self) -> None:
        """Raise AssertionError if an extent is lost, shared or leaked."""
        self._allocator.check()
        held = sum(e.size for e in self._active) + sum(k.extent.size for k in self._kept)
        assert held == self._allocator.used, (held, self._allocator.used)
        for extent, sequence in self._active.items():
            assert sequence.extent == extent
            assert sequence.length <= extent.size + 1

    def _allocate(self, tokens: int, spare: object = None) -> Extent | None:
        while (extent := self._allocator.allocate(tokens)) is None:
            victim = next((kept for kept in self._kept if kept is not spare), None)
            if victim is None:
                return None
            self._evict(victim)
        return extent

    def _evict(self, kept: _Kept) -> None:
        del self._kept[kept]
        self._index.drop(kept)
        self._allocator.free(kept.extent)

    def _touch(self, owner: object) -> Extent:
        if isinstance(owner, _Kept):
            self._kept.move_to_end(owner)
            return owner.extent
        assert isinstance(owner, Sequence)
        assert owner.extent is not None
        return owner.extent

    def _place(self, sequence: Sequence, extent: Extent) -> None:
        sequence.extent = extent
        self._active[extent] = sequence

    def _move(self, sequence: Sequence, target: Extent) -> None:
        assert sequence.extent is not None
        shared = sequence in self._index
        self.pending.append(CopyRow(sequence.extent, target, sequence.computed))
        self._leave(sequence)
        self._place(sequence, target)
        if shared:
            self.share(sequence)

    def _leave(self, sequence: Sequence) -> None:
        assert sequence.extent is not None
        if not sequence.proved_finite:
            self.pending.append(ClearRow(sequence.extent, sequence.computed))
        self._index.drop(sequence)
        del self._active[sequence.extent]
        self._allocator.free(sequence.extent)
        sequence.extent = None

    def _keep(self, sequence: Sequence, extent: Extent) -> None:
        length = sequence.computed
        tokens = sequence.tokens[:length]
        if length < BLOCK:
            return
        self._index.drop(sequence)
        known = self._index.find(_origin(sequence), tokens)
        if known is not None and known.length >= length // BLOCK * BLOCK:
            self._touch(known.owner)
            return
        place = self._allocator.allocate(length, end="high")
        while place is None and self._kept:
            self._evict(next(iter(self._kept)))
            place = self._allocator.allocate(length, end="high")
        if place is None:
            return
        self.pending.append(CopyRow(extent, place, length))
        kept = _Kept(place, length)
        self._kept[kept] = None
        self._index.put(kept, _origin(sequence), tokens)

    def _close_gap(self, freed: Extent) -> None:
        """Move the last row of the same size into the gap, so that rows stay neighbours."""
        if freed.size > _LARGEST_MOVE:
            return
        last = max((e for e in self._active if e.size == freed.size), default=None)
        if last is None or last.start < freed.start:
            return
        target = self._allocator.allocate(size_for(freed.size))
        if target is None:
            return
        if target.start > last.start:
            self._allocator.free(target)
            return
        self._move(self._active[last], target)


def _origin(sequence: Sequence) -> tuple[str | None, bool]:
    """What the keys and values of a sequence depend on beside its tokens."""
    return sequence.adapter, sequence.long
