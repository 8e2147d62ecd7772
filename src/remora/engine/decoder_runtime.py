"""Remora's own decoder in memory, with its KV cache and its adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from remora.engine.assembly import cache_tokens
from remora.engine.checkpoint import Checkpoint, Weights, base_digest, merged_digest
from remora.engine.decoder import Decoder, sites_of
from remora.engine.decoder_loader import load_decoder
from remora.engine.decoder_scorer import DecoderScorer
from remora.engine.dequantized_checkpoint import DequantizedCheckpoint
from remora.engine.device import choose_device, choose_dtype
from remora.engine.errands import Errands
from remora.engine.kv_cache import KVCache
from remora.engine.kv_rows import KVRows
from remora.engine.merged_checkpoint import MergedCheckpoint
from remora.engine.model_config import ModelConfig
from remora.engine.options import EngineOptions
from remora.engine.quantized import read_quantization
from remora.engine.runner import ModelRunner
from remora.lora.adapter import Adapter
from remora.lora.load import load_adapter
from remora.lora.plan import AdapterPlan, plan_adapter


@dataclass(frozen=True, slots=True)
class DecoderRuntime:
    """See `remora.engine.assembly.Runtime`. ``base`` reads the weights as they are unmerged."""

    base: Weights
    decoder: Decoder
    cache: KVCache
    rows: KVRows
    positions: int
    digest: str
    dtype: torch.dtype
    device: str
    max_rank: int

    @property
    def name(self) -> Literal["remora"]:
        return "remora"

    @property
    def vocab(self) -> int:
        return self.decoder.config.vocab

    def plan(self, folder: Path) -> AdapterPlan:
        return plan_adapter(folder, self.decoder.sites, max_rank=self.max_rank)

    def load(self, plan: AdapterPlan, errands: Errands) -> Adapter:
        return load_adapter(plan, self.decoder.sites, self.dtype, self.device, self.base)

    def runner(
        self, resident: Callable[[str], Adapter], run_errand: Callable[[], bool]
    ) -> ModelRunner:
        return ModelRunner(self.decoder, self.cache, resident, run_errand, self.dtype, self.device)

    def scorer(self, errands: Errands) -> DecoderScorer:
        return DecoderScorer(self.decoder, errands, self.dtype, self.device, self.positions)


def load_decoder_runtime(
    folder: Path,
    config: ModelConfig,
    options: EngineOptions,
    threads: int,
    on_progress: Callable[[str, float], None],
    merge: Path | None = None,
) -> DecoderRuntime:
    """Read a model into Remora's own decoder, with an adapter to ``merge`` as a part of it.

    Raises `ModelError`, or `ConfigError` for settings that this machine or model can't meet.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device, config.dtype)
    positions = min(options.context_length or config.max_positions, config.max_positions)
    with Checkpoint(folder) as checkpoint:
        digest = base_digest(folder, checkpoint)
        weights = base = _weights(folder, checkpoint)
        if merge is not None:
            on_progress(f"merging {merge.name}", 0.0)
            plan = plan_adapter(merge, sites_of(config), max_rank=options.max_lora_rank)
            weights = merged = MergedCheckpoint(base, config, sites_of(config), plan)
            config = merged.config
            digest = merged_digest(digest, merge)
        decoder = load_decoder(
            config,
            weights,
            positions=positions,
            dtype=dtype,
            device=device,
            on_layer=lambda done: on_progress(
                f"reading layer {done} of {config.layers} ({threads} threads, {dtype})",
                done / config.layers,
            ),
        )
    per_token = 2 * config.layers * config.kv_size * dtype.itemsize
    tokens = cache_tokens(per_token, options, positions, device)
    rows = KVRows(tokens, prefix_cache=options.prefix_cache, switches_at=config.switches_at)
    return DecoderRuntime(
        base=base,
        decoder=decoder,
        cache=KVCache(config, tokens, dtype, device),
        rows=rows,
        positions=positions,
        digest=digest,
        dtype=dtype,
        device=device,
        max_rank=options.max_lora_rank,
    )


def _weights(folder: Path, checkpoint: Checkpoint) -> Weights:
    quantization = read_quantization(folder)
    return checkpoint if quantization is None else DequantizedCheckpoint(checkpoint, quantization)
