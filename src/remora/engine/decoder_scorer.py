"""Scores of one token sequence at a time by the decoder, beside the batch and its KV cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from remora.engine.attention import Attention
from remora.engine.decoder import Decoder
from remora.engine.errands import Errands
from remora.engine.extents import Extent
from remora.engine.kv_cache import KVCache
from remora.engine.request import SamplingParams
from remora.engine.rope import places_of
from remora.engine.scheduler import Chunk, Step
from remora.engine.scorer import PASS, Result
from remora.engine.sequence import Sequence as Row
from remora.lora.adapter import Adapter
from remora.lora.batch import LoraStep, Segment


class DecoderScorer:
    """A `Scorer` over a decoder: each pass is an errand of the engine's.

    ``positions`` [tokens] is the context that the decoder was prepared for.
    """

    def __init__(
        self, decoder: Decoder, errands: Errands, dtype: torch.dtype, device: str, positions: int
    ) -> None:
        self._decoder = decoder
        self._errands = errands
        self._dtype = dtype
        self._device = device
        self._positions = positions

    @property
    def vocab(self) -> int:
        return self._decoder.config.vocab

    @property
    def positions(self) -> int:
        """The most tokens of a sequence."""
        return self._positions

    def scores(
        self,
        tokens: Sequence[int],
        adapter: Adapter | None,
        read: Callable[[Tensor], Result],
        *,
        first: int = 0,
    ) -> Iterator[Result]:
        """See `Scorer.scores`."""
        # Just as large as it must be: memory that is touched for the first time costs a lot.
        extent = Extent(0, len(tokens))
        cache = KVCache(self._decoder.config, extent.size, self._dtype, self._device)
        row = Row(list(tokens), len(tokens), len(tokens), SamplingParams(), extent=extent)
        row.long = row.exceeds(self._decoder.config.switches_at)
        while row.remaining:
            count = min(row.remaining, PASS)
            skip = min(max(first - row.computed, 0), count)
            chunk = Chunk(row, count)
            yield self._errands.call(partial(self._pass, chunk, skip, cache, adapter, read))
            row.computed += count

    @torch.inference_mode()
    def _pass(
        self,
        chunk: Chunk,
        skip: int,
        cache: KVCache,
        adapter: Adapter | None,
        read: Callable[[Tensor], Result],
    ) -> Result:
        return read(self._forward(chunk, skip, cache, adapter))

    def _forward(self, chunk: Chunk, skip: int, cache: KVCache, adapter: Adapter | None) -> Tensor:
        """Scores after all tokens of a chunk but the first few, [count - skip, vocab]."""
        begin, count = chunk.sequence.computed, chunk.count
        tokens = torch.tensor(chunk.sequence.tokens[begin : begin + count], device=self._device)
        positions = torch.arange(begin, begin + count, device=self._device)
        step = Step((), (chunk,))
        attention = Attention(self._decoder.config, cache, step, positions, self._dtype)
        places = places_of(step, positions, self._decoder.config.switches_at)
        hidden = self._decoder.forward(tokens, places, attention, _alone(adapter, count))
        if skip == count:
            return hidden.new_empty(0, self._decoder.config.vocab)
        return self._decoder.logits(hidden[skip:], _alone(adapter, count - skip)).cpu()


def _alone(adapter: Adapter | None, rows: int) -> LoraStep | None:
    if adapter is None:
        return None
    return LoraStep(None, (), [Segment(slice(0, rows), adapter)])
