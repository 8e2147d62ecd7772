"""The keys and values of all sequences, in one preallocated arena.

In every layer an extent of S tokens holds its values as [kv_heads, S, head_dim] and its keys as
[kv_heads, head_dim, S]: so both are the right-hand side of a matrix product as they lie, and
extents of the same size that are neighbours are one batch of them.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence

import torch
from torch import Tensor

from remora.engine.extents import Extent
from remora.engine.kv_rows import ClearRow, CopyRow
from remora.engine.model_config import ModelConfig


class KVCache:
    """Memory for the keys and values of ``tokens`` tokens in each layer.

    It starts as zeros. On a CPU memory grows with use, up to what is configured.
    """

    def __init__(self, config: ModelConfig, tokens: int, dtype: torch.dtype, device: str) -> None:
        self._heads, self._dim = config.kv_heads, config.head_dim
        shape = (config.layers, tokens * self._heads * self._dim)
        self._keys = _zeros(shape, dtype, device)
        self._values = _zeros(shape, dtype, device)
        self._views: dict[int, tuple[Tensor, Tensor]] = {}

    def rows(self, size: int, layer: int) -> tuple[Tensor, Tensor]:
        """Keys [extents, kv_heads, head_dim, size] and values [extents, kv_heads, size, head_dim]
        of all extents of one size, without copying."""
        keys, values = self._view(size)
        return keys[layer], values[layer]

    def places(self, extents: Sequence[Extent], positions: Tensor) -> tuple[Tensor, Tensor]:
        """Where one token of each extent lies, at ``positions`` [extents], for `write`.

        Two tensors of [extents, kv_heads, head_dim]: of keys and of values.
        """
        device = positions.device
        starts = torch.tensor([extent.start for extent in extents], device=device)
        sizes = torch.tensor([extent.size for extent in extents], device=device)[:, None, None]
        first = starts[:, None, None] * (self._heads * self._dim)
        heads = torch.arange(self._heads, device=device)[:, None]
        dims = torch.arange(self._dim, device=device)
        token = positions[:, None, None]
        keys = first + (heads * self._dim + dims) * sizes + token
        values = first + (heads * sizes + token) * self._dim + dims
        return keys, values

    def write(
        self, layer: int, places: tuple[Tensor, Tensor], keys: Tensor, values: Tensor
    ) -> None:
        """Store keys and values [tokens, kv_heads, head_dim] at their `places`."""
        self._keys[layer].index_put_((places[0],), keys)
        self._values[layer].index_put_((places[1],), values)

    def apply(self, operations: list[CopyRow | ClearRow]) -> None:
        """Move and clear rows in all layers, in the order given."""
        for operation in operations:
            keys, values = self._row(operation.target, operation.length)
            if isinstance(operation, ClearRow):
                keys.zero_()
                values.zero_()
            else:
                source_keys, source_values = self._row(operation.source, operation.length)
                keys.copy_(source_keys)
                values.copy_(source_values)

    def _row(self, extent: Extent, length: int) -> tuple[Tensor, Tensor]:
        keys, values = self._view(extent.size)
        place = extent.start // extent.size
        return keys[:, place, ..., :length], values[:, place, :, :length]

    def _view(self, size: int) -> tuple[Tensor, Tensor]:
        """Keys and values as in `rows`, of all layers."""
        if size not in self._views:
            per_extent = size * self._heads * self._dim
            count = self._keys.shape[1] // per_extent
            keys, values = (side[:, : count * per_extent] for side in (self._keys, self._values))
            shape = (len(keys), count, self._heads)
            self._views[size] = (
                keys.view(*shape, self._dim, size),
                values.view(*shape, size, self._dim),
            )
        return self._views[size]


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> Tensor:
    if device != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    # Anonymous pages are zero, and take memory only once they are touched; torch.zeros would
    # touch them all.
    pages = mmap.mmap(-1, math.prod(shape) * dtype.itemsize)
    return torch.frombuffer(pages, dtype=dtype).view(shape)
