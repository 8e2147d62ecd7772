"""The keys and values of all sequences, in one preallocated arena.

An extent of S tokens is laid out [kv_heads, S, head_dim] in every layer, keys and values apart:
a head's keys are contiguous, and extents of the same size that are neighbours are one batch.
"""

from __future__ import annotations

import math
import mmap

import torch
from torch import Tensor

from remora.engine.extents import Extent
from remora.engine.kv_rows import ClearRow, CopyRow
from remora.engine.model_config import ModelConfig


class KVCache:
    """Memory for ``tokens`` tokens: [layers, 2, tokens * kv_heads * head_dim].

    It starts as zeros. On a CPU memory grows with use, up to what is configured.
    """

    def __init__(self, config: ModelConfig, tokens: int, dtype: torch.dtype, device: str) -> None:
        self._heads, self._dim = config.kv_heads, config.head_dim
        self._tokens = tokens
        per_token = config.kv_heads * config.head_dim
        self._arena = _zeros((config.layers, 2, tokens * per_token), dtype, device)
        self._flat = [layer.view(-1, config.head_dim) for layer in self._arena]
        self._rows: dict[int, Tensor] = {}

    @property
    def nbytes(self) -> int:
        return self._arena.numel() * self._arena.element_size()

    def rows(self, size: int, layer: int) -> Tensor:
        """All extents of one size as [2, extents, kv_heads, size, head_dim], without copying."""
        return self._view(size)[layer]

    def write(self, layer: int, places: Tensor, values: Tensor) -> None:
        """Store keys and values [rows, 2 * kv_heads, head_dim] at `places` of the same shape."""
        self._flat[layer].index_put_((places,), values)

    def places(self, bases: Tensor, strides: Tensor, positions: Tensor) -> Tensor:
        """Where the heads of each row go, [rows, 2 * kv_heads], for `write`.

        ``bases`` [rows] are the extents' starts, ``strides`` [rows] their sizes and
        ``positions`` [rows] the tokens' places in their sequences.
        """
        heads = torch.arange(self._heads, device=bases.device)
        keys = (bases * self._heads + positions)[:, None] + strides[:, None] * heads
        return torch.cat([keys, keys + self._tokens * self._heads], 1)

    def apply(self, operations: list[CopyRow | ClearRow]) -> None:
        """Move and clear rows in all layers, in the order given."""
        for operation in operations:
            target = self._row(operation.target)[..., : operation.length, :]
            if isinstance(operation, ClearRow):
                target.zero_()
            else:
                target.copy_(self._row(operation.source)[..., : operation.length, :])

    def _row(self, extent: Extent) -> Tensor:
        return self._view(extent.size)[:, :, extent.start // extent.size]

    def _view(self, size: int) -> Tensor:
        """[layers, 2, extents, kv_heads, size, head_dim]"""
        if size not in self._rows:
            count = self._tokens // size
            used = self._arena[:, :, : count * size * self._heads * self._dim]
            self._rows[size] = used.view(*used.shape[:2], count, self._heads, size, self._dim)
        return self._rows[size]


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> Tensor:
    if device != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    # Anonymous pages are zero, and take memory only once they are touched; torch.zeros would
    # touch them all.
    pages = mmap.mmap(-1, math.prod(shape) * dtype.itemsize)
    return torch.frombuffer(pages, dtype=dtype).view(shape)
