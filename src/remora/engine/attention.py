"""Attention over the KV cache, planned once a step and run in every layer.

Decode rows whose extents are neighbours are one pair of batched matrix products over the cache in
place; prompt chunks go one by one through PyTorch's fused attention. Grouped queries
(https://arxiv.org/abs/2305.13245) become rows of a head's matrix, so that keys and values need
not be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from remora.engine.kv_cache import KVCache
from remora.engine.model_config import ModelConfig
from remora.engine.scheduler import Chunk, Step

# Kernels are prepared for each shape they meet: lengths are rounded up so that few shapes occur.
_LENGTH_STEP = 32


@dataclass(frozen=True, slots=True)
class _Run:
    """Batch rows ``rows`` decode in the neighbouring extents ``extents`` of one size.

    ``lengths`` is how many tokens each row sees, [rows]; ``longest`` the most, rounded up.
    """

    rows: slice
    size: int
    extents: slice
    lengths: Tensor
    longest: int


@dataclass(frozen=True, slots=True)
class _Prompt:
    """Batch rows ``rows`` are a chunk of one prompt, ``before`` tokens of which are computed."""

    rows: slice
    size: int
    extent: int
    before: int

    @property
    def count(self) -> int:
        return int(self.rows.stop - self.rows.start)


class Attention:
    """One step's attention. The decode rows of ``step`` must be sorted by extent."""

    def __init__(
        self, config: ModelConfig, cache: KVCache, step: Step, positions: Tensor, dtype: torch.dtype
    ) -> None:
        self._config = config
        self._cache = cache
        self._dtype = dtype
        self._device = positions.device
        self._scale = config.attention_scale
        self._cap = config.attention_cap
        self._runs = tuple(_runs(step.decodes, self._device))
        self._prompts = tuple(_prompts(step.prefills, len(step.decodes)))
        extents = [chunk.sequence.extent for chunk in step.decodes]
        self._decoding = len(extents)
        self._places = cache.places([e for e in extents if e], positions[: len(extents)])
        self._masks: dict[tuple[int, int | None], Tensor] = {}

    def __call__(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Store this step's keys and values [rows, kv_heads, head_dim], and attend.

        ``queries`` [rows, heads, head_dim]. Returns [rows, heads * head_dim].
        """
        self._store(layer, keys, values)
        window = self._config.windows[layer]
        parts = [self._decode(layer, run, queries[run.rows], window) for run in self._runs]
        parts += [
            self._prefill(layer, chunk, queries[chunk.rows], window) for chunk in self._prompts
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _store(self, layer: int, keys: Tensor, values: Tensor) -> None:
        count = self._decoding
        if count:
            self._cache.write(layer, self._places, keys[:count], values[:count])
        for chunk in self._prompts:
            held_keys, held_values = self._cache.rows(chunk.size, layer)
            own = slice(chunk.before, chunk.before + chunk.count)
            held_keys[chunk.extent, :, :, own] = keys[chunk.rows].permute(1, 2, 0)
            held_values[chunk.extent, :, own] = values[chunk.rows].transpose(0, 1)

    def _decode(self, layer: int, run: _Run, queries: Tensor, window: int | None) -> Tensor:
        rows, heads, dim = queries.shape
        kv_heads = self._config.kv_heads
        keys, values = self._cache.rows(run.size, layer)
        # [rows * kv_heads, queries of a kv head, head_dim]
        grouped = queries.reshape(rows * kv_heads, heads // kv_heads, dim)
        seen = keys[run.extents, :, :, : run.longest].flatten(0, 1)
        mask = self._decode_mask(run, window)
        if self._cap is None:
            scores = torch.baddbmm(mask, grouped, seen, alpha=self._scale)
        else:
            scores = self._capped(torch.bmm(grouped, seen)).add_(mask)
        held = values[run.extents, :, : run.longest].flatten(0, 1)
        return torch.bmm(torch.softmax(scores, -1), held).view(rows, heads * dim)

    def _prefill(self, layer: int, chunk: _Prompt, queries: Tensor, window: int | None) -> Tensor:
        count, heads, dim = queries.shape
        kv_heads = self._config.kv_heads
        seen = chunk.before + count
        keys, values = self._cache.rows(chunk.size, layer)
        # [kv_heads, queries of a kv head, count, head_dim]
        grouped = queries.view(count, kv_heads, heads // kv_heads, dim).permute(1, 2, 0, 3)
        shape = (kv_heads, heads // kv_heads, seen, dim)
        if self._cap is not None:
            scores = self._capped(grouped @ keys[chunk.extent, :, None, :, :seen])
            chances = torch.softmax(scores.add_(self._prefill_mask(chunk, window)), -1)
            mixed = chances @ values[chunk.extent, :, None, :seen]
            return mixed.permute(2, 0, 1, 3).reshape(count, heads * dim)
        plain = chunk.before == 0 and (window is None or seen <= window)
        mixed = functional.scaled_dot_product_attention(
            grouped,
            keys[chunk.extent, :, :, :seen].transpose(1, 2).contiguous()[:, None].expand(shape),
            values[chunk.extent, :, None, :seen].expand(shape),
            attn_mask=None if plain else self._prefill_mask(chunk, window),
            is_causal=plain,
            scale=self._scale,
        )
        return mixed.permute(2, 0, 1, 3).reshape(count, heads * dim)

    def _capped(self, products: Tensor) -> Tensor:
        """Products of queries and keys, scaled and softly bounded; they are used up."""
        assert self._cap is not None
        return products.mul_(self._scale / self._cap).tanh_().mul_(self._cap)

    def _decode_mask(self, run: _Run, window: int | None) -> Tensor:
        """0 where a row may look and -inf where not, [rows * kv_heads, 1, longest]."""
        key = (run.rows.start, window)
        if key not in self._masks:
            place = torch.arange(run.longest, device=self._device)
            hidden = place >= run.lengths[:, None]
            if window is not None:
                hidden |= place < run.lengths[:, None] - window
            mask = self._hide(hidden)
            self._masks[key] = mask.repeat_interleave(self._config.kv_heads, 0).unsqueeze(1)
        return self._masks[key]

    def _prefill_mask(self, chunk: _Prompt, window: int | None) -> Tensor:
        """0 where a token may look and -inf where not, [count, before + count]."""
        key = (chunk.rows.start, window)
        if key not in self._masks:
            place = torch.arange(chunk.before + chunk.count, device=self._device)
            own = place[chunk.before :, None]
            hidden = place > own
            if window is not None:
                hidden |= place <= own - window
            self._masks[key] = self._hide(hidden)
        return self._masks[key]

    def _hide(self, hidden: Tensor) -> Tensor:
        mask = torch.zeros(hidden.shape, dtype=self._dtype, device=self._device)
        return mask.masked_fill_(hidden, float("-inf"))


def _runs(decodes: Sequence[Chunk], device: torch.device) -> Iterator[_Run]:
    start = 0
    for index, chunk in enumerate(decodes):
        extent = chunk.sequence.extent
        following = decodes[index + 1].sequence.extent if index + 1 < len(decodes) else None
        assert extent is not None
        if following is not None and (following.start, following.size) == (
            extent.stop,
            extent.size,
        ):
            continue
        rows = slice(start, index + 1)
        lengths = [c.sequence.computed + 1 for c in decodes[rows]]
        last = extent.start // extent.size + 1
        longest = -(-max(lengths) // _LENGTH_STEP) * _LENGTH_STEP
        yield _Run(
            rows=rows,
            size=extent.size,
            extents=slice(last - len(lengths), last),
            lengths=torch.tensor(lengths, device=device),
            longest=min(longest, extent.size),
        )
        start = index + 1


def _prompts(prefills: Sequence[Chunk], start: int) -> Iterator[_Prompt]:
    for chunk in prefills:
        extent = chunk.sequence.extent
        assert extent is not None
        yield _Prompt(
            rows=slice(start, start + chunk.count),
            size=extent.size,
            extent=extent.start // extent.size,
            before=chunk.sequence.computed,
        )
        start += chunk.count
