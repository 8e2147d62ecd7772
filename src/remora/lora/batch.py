"""Adds the adapters' part to a layer's output, for a batch in which each row has its own.

Rows that decode go through the stack of all adapters in use (`remora.lora.stack`); chunks of
prompts, and rows whose adapter is not in the stack yet, go through their own adapter's matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from remora.lora.adapter import Adapter
from remora.lora.stack import Stack

# A stack is built in slices of this length, so that no stream waits for a newcomer's adapter.
_BUILD_SECONDS = 0.008
# Steps that a row goes alone at the cost of stacking one adapter.
_PRICE = 8


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows of the batch that share one adapter."""

    rows: slice
    adapter: Adapter

    @property
    def row(self) -> int | None:
        """The row, if it is a single one."""
        start: int = self.rows.start
        return start if self.rows.stop == start + 1 else None


class LoraStep:
    """What one step's rows add to each site: decode rows first, then the ranges of prompts."""

    def __init__(
        self,
        stack: Stack | None,
        columns: Sequence[int | None],
        alone: Sequence[Segment],
        prefills: Sequence[Segment] = (),
    ) -> None:
        self._stack = stack if any(column is not None for column in columns) else None
        self._columns = columns
        self._alone = alone
        self._segments = [*alone, *prefills]
        self._masks: dict[tuple[int, ...], Tensor | None] = {}

    @property
    def is_empty(self) -> bool:
        return self._stack is None and not self._segments

    def add(self, site: int, x: Tensor, y: Tensor) -> Tensor:
        """``y`` plus what the adapters add to it; x [rows, in], y [rows, out] is used up."""
        if self._stack is not None and (pair := self._stack.at(site)) is not None:
            count = len(self._columns)
            rows = x if count == len(x) else x[:count]
            mask = self._mask(pair.ranks, x)
            low = pair.down(rows) if mask is None else pair.down.mul(rows, mask)
            if count == len(x):
                y = pair.up.add(low, y)
            else:
                y[:count] += pair.up(low)
        for segment in self._segments:
            own = segment.adapter.pairs[site]
            if own is None:
                continue
            if segment.row is not None and x.dtype == torch.float32:
                # Twice as fast as a product of matrices, where there are kernels for it.
                y[segment.row].addmv_(own.up, own.down.mv(x[segment.row]))
            else:
                y[segment.rows].addmm_(x[segment.rows] @ own.down.T, own.up.T)
        return y

    def with_prefills(self, prefills: Sequence[Segment]) -> LoraStep:
        """The same decode rows before other ranges; the masks made so far are shared."""
        step = LoraStep(self._stack, self._columns, self._alone, prefills)
        step._masks = self._masks
        return step

    def _mask(self, ranks: tuple[int, ...], like: Tensor) -> Tensor | None:
        """1 where a stacked rank is the row's own, [decode rows, ranks]; None if all are."""
        if ranks not in self._masks:
            owner = torch.arange(len(ranks)).repeat_interleave(torch.tensor(ranks))
            own = torch.tensor([-1 if column is None else column for column in self._columns])
            mask = owner == own[:, None]
            self._masks[ranks] = None if bool(mask.all()) else mask.to(like.device, like.dtype)
        return self._masks[ranks]


class LoraBatcher:
    """Keeps the stack of the adapters in use up to date, and plans each step with it.

    With ``stacks`` False there is none: every row goes through its own adapter's matrices.
    """

    def __init__(self, *, stacks: bool = True) -> None:
        self._stacks = stacks
        self._alone_rows = 0
        self._stack: Stack | None = None
        self._next: Stack | None = None
        self._last: tuple[tuple[Adapter | None, ...], LoraStep] | None = None

    def plan(
        self, decodes: Sequence[Adapter | None], prefills: Sequence[tuple[slice, Adapter | None]]
    ) -> LoraStep | None:
        """The adapters' part of a step, or None if no row has one.

        ``decodes`` are the adapters of rows 0, 1, …; ``prefills`` those of the ranges after them.
        """
        own = [*decodes, *(adapter for _, adapter in prefills)]
        self._advance(list(dict.fromkeys(a for a in own if a is not None)), decodes)
        segments = [Segment(rows, adapter) for rows, adapter in prefills if adapter is not None]
        if self._last is None or self._last[0] != tuple(decodes):
            known = self._known()
            columns = [None if adapter is None else known.get(adapter) for adapter in decodes]
            self._last = tuple(decodes), LoraStep(self._stack, columns, self._unstacked(decodes))
        step = self._last[1].with_prefills(segments)
        return None if step.is_empty else step

    def forget(self, adapter: Adapter) -> None:
        """Give up what was stacked with an adapter that leaves memory."""
        if self._stack is not None and adapter in self._stack.column:
            self._stack = self._last = None
        if self._next is not None and adapter in self._next.column:
            self._next = None

    def _known(self) -> dict[Adapter, int]:
        return {} if self._stack is None else self._stack.column

    def _unstacked(self, decodes: Sequence[Adapter | None]) -> list[Segment]:
        known = self._known()
        return [
            Segment(slice(rows[0], rows[-1] + 1), adapter)
            for adapter, rows in _runs(decodes)
            if adapter is not None and adapter not in known
        ]

    def _advance(self, wanted: Sequence[Adapter], decodes: Sequence[Adapter | None]) -> None:
        """Build the next stack if the present one lacks an adapter, or holds far too many.

        One that was begun is finished, even if others have come since: else a stream of newcomers
        would keep it from ever being of use.
        """
        if not self._stacks:
            return
        alone = len(self._unstacked(decodes))
        self._alone_rows += alone
        if self._next is None:
            # The ski rental rule: what comes and goes before a stack would have paid gets none.
            if not wanted or self._fits(wanted) or self._alone_rows < _PRICE * len(wanted):
                return
            self._next = Stack(wanted)
        # A row that has to go alone costs about as much as a slice, in every step until then.
        self._next.build(_BUILD_SECONDS * max(1, alone * alone))
        if self._next.is_built:
            self._stack, self._next, self._last = self._next, None, None
            self._alone_rows = 0

    def _fits(self, wanted: Sequence[Adapter]) -> bool:
        known = self._known()
        return len(known) <= 2 * len(wanted) and all(adapter in known for adapter in wanted)


def _runs(decodes: Sequence[Adapter | None]) -> Iterator[tuple[Adapter | None, list[int]]]:
    """Neighbouring rows of one adapter: together they are one product."""
    for adapter, rows in groupby(range(len(decodes)), decodes.__getitem__):
        yield adapter, list(rows)
