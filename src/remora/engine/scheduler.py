"""Decides which tokens of which sequences the next step computes. No torch.

Continuous batching (Orca, OSDI 2022) with chunked prefill (Sarathi-Serve, OSDI 2024): every
running stream gets its next token in every step, and the step's budget goes to the prompts, oldest
first. Nobody starves: sequences are admitted in the order of arrival, and one
that is passed over, because its adapter is not in memory yet, is passed over a bounded number of
times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from remora.engine.kv_rows import KVRows
from remora.engine.sequence import Sequence

_MAX_PASSED_OVER = 64


class Residency(Enum):
    """What an adapter's holder answers when a sequence wants to run with it."""

    PINNED = auto()
    LOADING = auto()
    NO_ROOM = auto()
    GONE = auto()


class AdapterPins(Protocol):
    """Holds adapters in memory while sequences run with them."""

    def pin(self, key: str) -> Residency: ...

    def unpin(self, key: str) -> None: ...

    def release(self, key: str) -> None:
        """A sequence that was to run with the adapter, or did, has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """``count`` tokens of a sequence, from its first one that is not computed."""

    sequence: Sequence
    count: int

    @property
    def samples(self) -> bool:
        """Whether this chunk ends at the sequence's last token, so that a new one follows."""
        return self.sequence.computed + self.count == self.sequence.length


@dataclass(frozen=True, slots=True)
class Step:
    """One pass through the model: rows of one token each, then chunks of prompts."""

    decodes: tuple[Chunk, ...]
    prefills: tuple[Chunk, ...]

    def __iter__(self) -> Iterator[Chunk]:
        yield from self.decodes
        yield from self.prefills

    @property
    def tokens(self) -> int:
        return sum(chunk.count for chunk in self)


class Scheduler:
    """Keeps the waiting and the running sequences.

    Invariant when idle: nothing waits, nothing runs, no extent is active, no adapter is pinned.
    """

    def __init__(
        self, rows: KVRows, adapters: AdapterPins, *, max_batch_size: int, prefill_chunk: int
    ) -> None:
        self.rows = rows
        self._adapters = adapters
        self._max_batch_size = max_batch_size
        self._prefill_chunk = prefill_chunk
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._orphans: list[Sequence] = []
        self._arrivals = 0
        self.preemptions = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._running and not self._orphans

    def sequences(self) -> list[Sequence]:
        """All that wait or run."""
        return [*self._waiting, *self._running]

    def add(self, sequence: Sequence) -> None:
        self._arrivals += 1
        sequence.arrival = self._arrivals
        self._waiting.append(sequence)

    def schedule(self) -> Step:
        """The next step. It is empty when nothing can run until an adapter has been loaded."""
        for sequence in [s for s in self._running if self.rows.is_outdated(s)]:
            self._preempt(sequence)
        decodes = [Chunk(s, 1) for s in self._make_room() if s.is_decoding]
        budget = self._prefill_chunk
        prefills = []
        for sequence in self._next_prefills():
            count = min(sequence.remaining, budget)
            prefills.append(Chunk(sequence, count))
            budget -= count
            if budget <= 0:
                break
        decodes.sort(key=_by_extent)
        return Step(tuple(decodes), tuple(prefills))

    def computed(self, step: Step) -> None:
        """Record that a step has run, before its new tokens are appended."""
        for chunk in step.decodes:
            chunk.sequence.computed += 1
        for chunk in step.prefills:
            chunk.sequence.computed += chunk.count
            self.rows.share(chunk.sequence)

    def finish(self, sequence: Sequence) -> None:
        """Take a sequence out, wherever it is, and free what it holds."""
        if sequence in self._running:
            self._running.remove(sequence)
            self.rows.release(sequence)
            self._unpin(sequence)
            self._release(sequence)
        elif sequence in self._waiting:
            self._waiting.remove(sequence)
            self._release(sequence)

    def take_orphans(self) -> list[Sequence]:
        """Sequences whose adapter is gone; they have been taken out."""
        orphans, self._orphans = self._orphans, []
        return orphans

    def check(self) -> None:
        """Raise AssertionError if an invariant is broken."""
        self.rows.check()
        if self.is_idle:
            assert self.rows.used == 0, "a finished sequence still holds an extent"

    def _make_room(self) -> list[Sequence]:
        """The running sequences, oldest first, each with room for its next token."""
        for sequence in sorted(self._running, key=_by_arrival):
            while sequence.extent is not None and not self.rows.grow(sequence):
                self._preempt(max(self._running, key=_by_arrival))
        return sorted(self._running, key=_by_arrival)

    def _preempt(self, sequence: Sequence) -> None:
        # Its tokens are kept; their keys and values are computed anew when there is room.
        self._running.remove(sequence)
        self.rows.release(sequence)
        self._unpin(sequence)
        self._waiting.append(sequence)
        self._waiting.sort(key=_by_arrival)
        self.preemptions += 1

    def _next_prefills(self) -> Iterator[Sequence]:
        for sequence in sorted(self._running, key=_by_arrival):
            if not sequence.is_decoding:
                yield sequence
        for sequence in list(self._waiting):
            if len(self._running) >= self._max_batch_size:
                return
            match self._admit(sequence):
                case True:
                    yield sequence
                case False if sequence.passed_over >= _MAX_PASSED_OVER:
                    return
                case None:
                    return

    def _admit(self, sequence: Sequence) -> bool | None:
        """True: admitted. False: passed over, others may go first. None: no memory is left."""
        leader = sequence.leader
        if leader is not None and leader.generated == 0 and leader in self.sequences():
            return False
        if sequence.adapter is not None:
            match self._adapters.pin(sequence.adapter):
                case Residency.LOADING:
                    return False
                case Residency.NO_ROOM:
                    sequence.passed_over += 1
                    return False
                case Residency.GONE:
                    self._waiting.remove(sequence)
                    self._orphans.append(sequence)
                    self._release(sequence)
                    return False
        if not self.rows.admit(sequence):
            self._unpin(sequence)
            return None
        self._waiting.remove(sequence)
        self._running.append(sequence)
        return True

    def _unpin(self, sequence: Sequence) -> None:
        if sequence.adapter is not None:
            self._adapters.unpin(sequence.adapter)

    def _release(self, sequence: Sequence) -> None:
        if sequence.adapter is not None:
            self._adapters.release(sequence.adapter)


def _by_arrival(sequence: Sequence) -> int:
    return sequence.arrival


def _by_extent(chunk: Chunk) -> tuple[int, int]:
    assert chunk.sequence.extent is not None
    return chunk.sequence.extent.size, chunk.sequence.extent.start
