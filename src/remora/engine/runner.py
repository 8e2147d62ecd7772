"""Runs one scheduled step through the model: bookkeeping in, logits out."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from remora.engine.attention import Attention
from remora.engine.decoder import Decoder
from remora.engine.kv_cache import KVCache
from remora.engine.kv_rows import ClearRow, CopyRow
from remora.engine.rope import places_of
from remora.engine.scheduler import Chunk, Step
from remora.lora.adapter import Adapter
from remora.lora.batch import LoraBatcher, LoraStep, Segment


class ModelRunner:
    """A decoder with its KV cache. ``resident`` gives the adapter in memory of a pinned key.

    ``run_errand`` is called between the layers of a step, until it has taken half of one.
    """

    def __init__(
        self,
        decoder: Decoder,
        cache: KVCache,
        resident: Callable[[str], Adapter],
        run_errand: Callable[[], bool],
        dtype: torch.dtype,
        device: str,
    ) -> None:
        self._decoder = decoder
        self._cache = cache
        self._resident = resident
        self._run_errand = run_errand
        self._step_seconds = 0.0
        self._errand_seconds = 0.0
        self._dtype = dtype
        self._device = device
        # In float32 the products that a stack throws away cost more than the calls that it saves.
        self._lora = LoraBatcher(stacks=dtype != torch.float32 or device != "cpu")

    def forget(self, adapter: Adapter) -> None:
        """Let go of an adapter that leaves memory."""
        self._lora.forget(adapter)

    @torch.inference_mode()
    def run(self, step: Step, moves: list[CopyRow | ClearRow]) -> Tensor:
        """See `remora.engine.engine.Runner`."""
        begin = time.perf_counter()
        self._errand_seconds = 0.0
        self._cache.apply(moves)
        tokens = torch.tensor([token for chunk in step for token in _tokens(chunk)])
        positions = torch.tensor([place for chunk in step for place in _places(chunk)])
        tokens, positions = tokens.to(self._device), positions.to(self._device)
        attention = Attention(self._decoder.config, self._cache, step, positions, self._dtype)
        lora, head_lora, last_rows = self._adapters(step)
        places = places_of(step, positions, self._decoder.config.switches_at)
        hidden = self._decoder.forward(tokens, places, attention, lora, self._pause)
        logits = self._logits(hidden, last_rows, head_lora)
        self._step_seconds = time.perf_counter() - begin - self._errand_seconds
        return logits

    def _pause(self) -> None:
        """What a step does between its layers: a newcomer need not wait for its end.

        One pass over a few tokens takes half of a step of many streams, and no stream is to wait
        for more than one: it is begun only where others have left time for it.
        """
        if self._errand_seconds <= self._step_seconds / 2:
            begin = time.perf_counter()
            if self._run_errand():
                self._errand_seconds += time.perf_counter() - begin

    def _logits(self, hidden: Tensor, rows: list[int], lora: LoraStep | None) -> Tensor:
        if not rows:
            return hidden.new_empty(0, self._decoder.config.vocab)
        if len(rows) != len(hidden):
            hidden = hidden[torch.tensor(rows, device=self._device)]
        return self._decoder.logits(hidden, lora)

    def _adapters(self, step: Step) -> tuple[LoraStep | None, LoraStep | None, list[int]]:
        """The adapters' part in the layers, the same for the head, and the rows that it reads."""
        decodes = [self._adapter(chunk) for chunk in step.decodes]
        last_rows = list(range(len(decodes)))
        ranges: list[tuple[slice, Adapter | None]] = []
        heads: list[Segment] = []
        start = len(decodes)
        for chunk in step.prefills:
            adapter = self._adapter(chunk)
            ranges.append((slice(start, start + chunk.count), adapter))
            start += chunk.count
            if chunk.samples:
                if adapter is not None:
                    heads.append(Segment(slice(len(last_rows), len(last_rows) + 1), adapter))
                last_rows.append(start - 1)
        lora = self._lora.plan(decodes, ranges)
        return lora, lora and lora.with_prefills(heads), last_rows

    def _adapter(self, chunk: Chunk) -> Adapter | None:
        key = chunk.sequence.adapter
        return None if key is None else self._resident(key)


def _tokens(chunk: Chunk) -> list[int]:
    sequence = chunk.sequence
    return sequence.tokens[sequence.computed : sequence.computed + chunk.count]


def _places(chunk: Chunk) -> range:
    return range(chunk.sequence.computed, chunk.sequence.computed + chunk.count)
