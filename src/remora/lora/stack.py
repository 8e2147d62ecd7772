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

from remora.kernels.linear import Linear, pack
from remora.lora.adapter import Adapter


@dataclass(frozen=True, slots=True)
class StackedPair:
    """One site: ``down`` [ranks, in], ``up`` [out, ranks]; ``ranks`` of each adapter, in order."""

    down: Linear
    up: Linear
    ranks: tuple[int, ...]


class Stack:
    """The stacked matrices of some adapters, built a few sites at a time.

    Building takes longer than a step of the model, so it is spread over several; `is_built` says
    when it may be used.
    """

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self.adapters = tuple(adapters)
        self.column = {adapter: column for column, adapter in enumerate(self.adapters)}
        self._pairs: list[StackedPair | None] = []
        self._sites = len(self.adapters[0].pairs)

    @property
    def is_built(self) -> bool:
        return len(self._pairs) == self._sites

    def build(self, seconds: float) -> None:
        """Go on building for about so long, for one site at least."""
        deadline = time.perf_counter() + seconds
        while not self.is_built:
            self._pairs.append(self._stack(len(self._pairs)))
            if time.perf_counter() >= deadline:
                return

    def at(self, site: int) -> StackedPair | None:
        """A site's matrices, or None if no adapter touches it."""
        return self._pairs[site]

    def _stack(self, site: int) -> StackedPair | None:
        pairs = [adapter.pairs[site] for adapter in self.adapters]
        present = [pair for pair in pairs if pair is not None]
        if not present:
            return None
        return StackedPair(
            down=pack(torch.cat([pair.down for pair in present])),
            up=pack(torch.cat([pair.up for pair in present], 1)),
            ranks=tuple(0 if pair is None else pair.rank for pair in pairs),
        )
