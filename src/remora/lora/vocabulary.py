"""What an adapter changes in the embeddings and in the head: trained rows, and more of them.

Training often adds tokens (for padding, say) and saves the whole of both tables. Of those only the
rows that differ from the base model's are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import overload

import torch
from torch import Tensor

from remora.kernels.linear import Linear, pack

# Far below every score, and still a number after any temperature.
NEVER = -1e30


@dataclass(frozen=True)
class OwnRows:
    """Rows [n, hidden] of the tokens ``ids`` [n], in place of the base's; ``bias`` [n] or None."""

    ids: Tensor
    rows: Tensor
    bias: Tensor | None = None

    @cached_property
    def linear(self) -> Linear:
        """The rows as a layer: hidden [rows, hidden] to scores [rows, n]."""
        return pack(self.rows, self.bias)

    def to(self, dtype: torch.dtype, device: str) -> OwnRows:
        """The same for a model's dtype and device."""
        bias = None if self.bias is None else self.bias.to(device, dtype)
        return OwnRows(self.ids.to(device), self.rows.to(device, dtype), bias)


@dataclass(frozen=True, slots=True)
class EmbeddingUpdate:
    """Low-rank changes: ``gain * x + down[token] @ up``; down [size, rank], up [rank, hidden]."""

    down: Tensor
    up: Tensor
    gain: Tensor | None

    def apply(self, tokens: Tensor, x: Tensor) -> Tensor:
        """The embeddings of tokens [rows], given those without the update, x [rows, hidden]."""
        return torch.addmm(x if self.gain is None else x * self.gain, self.down[tokens], self.up)

    def to(self, dtype: torch.dtype, device: str) -> EmbeddingUpdate:
        """The same for a model's dtype and device."""
        gain = None if self.gain is None else self.gain.to(device, dtype)
        return EmbeddingUpdate(self.down.to(device, dtype), self.up.to(device, dtype), gain)


@dataclass(frozen=True)
class Vocabulary:
    """An adapter's vocabulary: ``embedded`` tokens can be read, the first ``scored`` be written.

    The head's own rows hold all that the adapter does to them, updates included.
    """

    embedded: int
    scored: int
    embeddings: OwnRows | None = None
    update: EmbeddingUpdate | None = None
    head: OwnRows | None = None

    @property
    def widest(self) -> int:
        """The larger of the two numbers."""
        return max(self.embedded, self.scored)

    @property
    def writable(self) -> int:
        """How many tokens can be written and then read."""
        return min(self.embedded, self.scored)

    @cached_property
    def _places(self) -> Tensor:
        """The place of each token among the own embeddings, or -1; [embedded]."""
        assert self.embeddings is not None
        ids = self.embeddings.ids
        places = torch.full((self.embedded,), -1, device=ids.device)
        places[ids] = torch.arange(len(ids), device=ids.device)
        return places

    def embed(self, tokens: Tensor, x: Tensor) -> Tensor:
        """The embeddings of tokens [rows], given the base's x [rows, hidden]."""
        if self.embeddings is not None:
            places = self._places[tokens]
            own = self.embeddings.rows[places.clamp_min(0)]
            x = torch.where((places >= 0)[:, None], own, x)
        return x if self.update is None else self.update.apply(tokens, x)

    def score(self, hidden: Tensor, scores: Tensor) -> None:
        """Write the own rows' scores of hidden [rows, hidden] into scores [rows, width]."""
        if self.head is not None:
            scores.index_copy_(1, self.head.ids, self.head.linear(hidden))

    def to(self, dtype: torch.dtype, device: str) -> Vocabulary:
        """The same for a model's dtype and device."""
        return Vocabulary(
            self.embedded,
            self.scored,
            self.embeddings and self.embeddings.to(dtype, device),
            self.update and self.update.to(dtype, device),
            self.head and self.head.to(dtype, device),
        )


@overload
def fitted(values: Tensor, size: int, fill: float = 0.0) -> Tensor: ...


@overload
def fitted(values: Tensor | None, size: int, fill: float = 0.0) -> Tensor | None: ...


def fitted(values: Tensor | None, size: int, fill: float = 0.0) -> Tensor | None:
    """Values of so many tokens: cut off, or filled up."""
    if values is None or len(values) == size:
        return values
    rest = torch.full((max(0, size - len(values)), *values.shape[1:]), fill)
    return torch.cat([values[:size], rest])
