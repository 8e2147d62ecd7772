"""Several adapters as two matrices a site, so that one product serves rows of all of them.

The down matrices of all adapters stand one under the other, the up matrices side by side. A row's
product with the first yields every adapter's low-rank values; a mask zeroes those which are not
the row's own; the second product adds up what is left. At the few rows of a decode step reading
the matrices once is what costs, and this reads each once, whatever the mix (compare the gathered
products of Punica, https://arxiv.org/abs/2310.18547, which suit GPUs).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from remora.kernels.linear import Linear, pack
from remora.lora.adapter import Adapter


@dataclass(frozen=True, slots=True)
class LowRank:
    """Stacked matrices: ``down`` [ranks, in], ``up`` [out, ranks]; ``ranks`` of each adapter."""

    down: Linear
    up: Linear
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StackedUpdate:
    """One site. ``gain`` and ``shift`` [adapters + 1, out] end with a row that changes nothing."""

    low_rank: LowRank | None
    gain: Tensor | None
    shift: Tensor | None


class Stack:
    """The stacked matrices of some adapters, built a few sites at a time.

    Building takes longer than a step of the model, so it is spread over several; `is_built` says
    when it may be used.
    """

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self.adapters = tuple(adapters)
        self.column = {adapter: column for column, adapter in enumerate(self.adapters)}
        self._updates: list[StackedUpdate | None] = []
        self._sites = len(self.adapters[0].updates)

    @property
    def is_built(self) -> bool:
        return len(self._updates) == self._sites

    def build(self, seconds: float) -> None:
        """Go on building for about so long, for one site at least."""
        deadline = time.perf_counter() + seconds
        while not self.is_built:
            self._updates.append(self._stack(len(self._updates)))
            if time.perf_counter() >= deadline:
                return

    def at(self, site: int) -> StackedUpdate | None:
        """A site's update, or None if no adapter touches it."""
        return self._updates[site]

    def _stack(self, site: int) -> StackedUpdate | None:
        updates = [adapter.updates[site] for adapter in self.adapters]
        present = [update for update in updates if update is not None]
        if not present:
            return None
        low_rank = None
        if any(update.rank for update in present):
            low_rank = LowRank(
                down=pack(torch.cat([update.down for update in present])),
                up=pack(torch.cat([update.up for update in present], 1)),
                ranks=tuple(0 if update is None else update.rank for update in updates),
            )
        like = present[0].up
        return StackedUpdate(
            low_rank,
            gain=_rows([None if u is None else u.gain for u in updates], 1.0, like),
            shift=_rows([None if u is None else u.shift for u in updates], 0.0, like),
        )


def _rows(values: Sequence[Tensor | None], neutral: float, like: Tensor) -> Tensor | None:
    """One row for each adapter and a neutral one, [adapters + 1, out]; None if all are neutral."""
    if all(value is None for value in values):
        return None
    row = like.new_full((len(like),), neutral)
    return torch.stack([row if value is None else value for value in (*values, None)])
