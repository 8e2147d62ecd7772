"""Adds the adapters' part to a layer's output, for a batch in which each row has its own.

Rows that decode go through the stack of all adapters in use (`remora.lora.stack`); chunks of
prompts, and rows whose adapter is not in the stack yet, go through their own adapter's matrices.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

from remora.kernels.linear import Linear
from remora.lora.adapter import Adapter
from remora.lora.stack import Stack, StackedUpdate
from remora.lora.vocabulary import NEVER

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
        decodes: Sequence[Adapter | None],
        prefills: Sequence[Segment] = (),
    ) -> None:
        known = {} if stack is None else stack.column
        columns = [-1 if adapter is None else known.get(adapter, -1) for adapter in decodes]
        self._stack = stack if max(columns, default=-1) >= 0 else None
        self._columns = torch.tensor(columns)
        self._own = _runs(decodes)
        self._alone = [segment for segment in self._own if segment.adapter not in known]
        self._masks: dict[tuple[int, ...], Tensor | None] = {}
        self._set_prefills(prefills)

    def _set_prefills(self, prefills: Sequence[Segment]) -> None:
        everyone = [*self._own, *prefills]
        self._segments = [*self._alone, *prefills]
        self._has_gain = any(segment.adapter.has_gain for segment in everyone)
        self._vocabularies = [
            (segment.rows, segment.adapter.vocabulary)
            for segment in everyone
            if segment.adapter.vocabulary is not None
        ]

    @property
    def is_empty(self) -> bool:
        return self._stack is None and not self._segments

    def run(self, site: int, linear: Linear, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """A site's output for x [rows, in] with the adapters' part, plus a residual [rows, out]."""
        if residual is None:
            return self._update(site, x, linear(x))
        if self._has_gain and self._multiplies(site):
            return self._update(site, x, linear(x)).add_(residual)
        return self._update(site, x, linear.add(x, residual))

    def embed(self, tokens: Tensor, table: Tensor) -> Tensor:
        """Embeddings [rows, hidden] of tokens [rows]; the table [vocab, hidden] is the base's."""
        if not self._vocabularies:
            return table[tokens]
        x = table[tokens.clamp_max(len(table) - 1)]
        for rows, vocabulary in self._vocabularies:
            x[rows] = vocabulary.embed(tokens[rows], x[rows])
        return x

    def score(self, site: int, head: Linear, hidden: Tensor) -> Tensor:
        """The head's scores of hidden [rows, hidden], as wide as the widest vocabulary needs."""
        scores = self.run(site, head, hidden)
        if not self._vocabularies:
            return scores
        base = scores.shape[1]
        width = max(base, *(v.widest for _, v in self._vocabularies))
        if width > base:
            scores = functional.pad(scores, (0, width - base))
        for rows, vocabulary in self._vocabularies:
            vocabulary.score(hidden[rows], scores[rows])
        return scores

    def limit(self, scores: Tensor, vocab: int) -> Tensor:
        """Scores [rows, width] without those of tokens that a row's own vocabulary lacks.

        ``vocab`` is the base's; the scores are used up.
        """
        if not self._vocabularies:
            return scores
        limits = torch.full((len(scores), 1), vocab)
        for rows, vocabulary in self._vocabularies:
            limits[rows] = vocabulary.writable
        tokens = torch.arange(scores.shape[1], device=scores.device)
        return scores.masked_fill_(tokens >= limits.to(scores.device), NEVER)

    def with_prefills(self, prefills: Sequence[Segment]) -> LoraStep:
        """The same decode rows before other ranges; the masks made so far are shared."""
        step = copy.copy(self)
        step._set_prefills(prefills)
        return step

    def _multiplies(self, site: int) -> bool:
        """Whether any row's output of a site is multiplied, and not only added to."""
        stacked = None if self._stack is None else self._stack.at(site)
        if stacked is not None and stacked.gain is not None:
            return True
        updates = (segment.adapter.updates[site] for segment in self._segments)
        return any(update is not None and update.gain is not None for update in updates)

    def _update(self, site: int, x: Tensor, y: Tensor) -> Tensor:
        """The output y [rows, out] of a site for x [rows, in] with the adapters' part."""
        if self._stack is not None and (update := self._stack.at(site)) is not None:
            y = self._update_stacked(update, x, y)
        for segment in self._segments:
            own = segment.adapter.updates[site]
            if own is None:
                continue
            part = y[segment.rows]
            if own.gain is not None:
                part *= own.gain
            if own.shift is not None:
                part += own.shift
            if not own.rank:
                continue
            if segment.row is not None and x.dtype == torch.float32:
                # Twice as fast as a product of matrices, where there are kernels for it.
                y[segment.row].addmv_(own.up, own.down.mv(x[segment.row]))
            else:
                part.addmm_(x[segment.rows] @ own.down.T, own.up.T)
        return y

    def _update_stacked(self, update: StackedUpdate, x: Tensor, y: Tensor) -> Tensor:
        count = len(self._columns)
        if update.gain is not None:
            y[:count] *= update.gain[self._columns]
        if update.shift is not None:
            y[:count] += update.shift[self._columns]
        if (pair := update.low_rank) is None:
            return y
        rows = x if count == len(x) else x[:count]
        mask = self._mask(pair.ranks, x)
        low = pair.down(rows) if mask is None else pair.down.mul(rows, mask)
        if count == len(x):
            return pair.up.add(low, y)
        y[:count] += pair.up(low)
        return y

    def _mask(self, ranks: tuple[int, ...], like: Tensor) -> Tensor | None:
        """1 where a stacked rank is the row's own, [decode rows, ranks]; None if all are."""
        if ranks not in self._masks:
            owner = torch.arange(len(ranks)).repeat_interleave(torch.tensor(ranks))
            mask = owner == self._columns[:, None]
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
            self._last = tuple(decodes), LoraStep(self._stack, decodes)
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

    def _advance(self, wanted: Sequence[Adapter], decodes: Sequence[Adapter | None]) -> None:
        """Build the next stack if the present one lacks an adapter, or holds far too many.

        One that was begun is finished, even if others have come since: else a stream of newcomers
        would keep it from ever being of use.
        """
        if not self._stacks:
            return
        known = self._known()
        alone = sum(segment.adapter not in known for segment in _runs(decodes))
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


def _runs(decodes: Sequence[Adapter | None]) -> list[Segment]:
    """Neighbouring rows of one adapter: together they are one product."""
    runs: list[Segment] = []
    for adapter, group in groupby(range(len(decodes)), decodes.__getitem__):
        rows = list(group)
        if adapter is not None:
            runs.append(Segment(slice(rows[0], rows[-1] + 1), adapter))
    return runs
