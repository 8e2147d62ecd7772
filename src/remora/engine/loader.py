"""Puts an engine together for a model's folder and this machine."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from remora.engine.async_engine import AsyncEngine
from remora.engine.checkpoint import Checkpoint, Weights
from remora.engine.decoder import sites_of
from remora.engine.decoder_loader import load_decoder
from remora.engine.dequantized_checkpoint import DequantizedCheckpoint
from remora.engine.device import choose_device, choose_dtype, free_memory
from remora.engine.engine import Engine
from remora.engine.extents import SMALLEST, size_for
from remora.engine.kv_cache import KVCache
from remora.engine.kv_rows import KVRows
from remora.engine.merged_checkpoint import MergedCheckpoint
from remora.engine.model_config import ModelConfig, read_model_config
from remora.engine.options import EngineOptions
from remora.engine.prover import Prover
from remora.engine.quantized import read_quantization
from remora.engine.runner import ModelRunner
from remora.engine.scheduler import Residency, Scheduler
from remora.engine.scorer import Scorer
from remora.engine.threads import start_team, use_threads
from remora.engine.tokenizer import Tokenizer
from remora.engine.tokenizer_pool import TokenizerPool
from remora.errors import ConfigError
from remora.formats.adapter_config import adapter_digest
from remora.formats.probe_file import read_probe_file
from remora.formats.prompt_template import PromptTemplate
from remora.lora.adapter import Adapter
from remora.lora.load import load_adapter
from remora.lora.plan import AdapterPlan, plan_adapter
from remora.lora.sites import Sites
from remora.lora.store import AdapterStore, VersionState

_RESIDENCY = {
    VersionState.READY: Residency.PINNED,
    VersionState.LOADING: Residency.LOADING,
    VersionState.REGISTERED: Residency.NO_ROOM,
    VersionState.FAILED: Residency.GONE,
    None: Residency.GONE,
}
_PREFILL_CHUNK = {"cpu": 256, "cuda": 2048}
_TOKENS_PER_ROW = 2048


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine that is ready to start, and what its front must know of it.

    ``digest`` (hex) identifies the base model: its configuration and its tensors' names and
    shapes. ``context_length`` [tokens] bounds prompt and answer together.
    """

    engine: AsyncEngine
    core: Engine
    scheduler: Scheduler
    tokenizer: Tokenizer
    adapters: AdapterStore
    config: ModelConfig
    digest: str
    context_length: int
    dtype: str
    device: str


@dataclass(frozen=True, slots=True)
class _Pins:
    """The adapter store, as the scheduler sees it."""

    store: AdapterStore

    def pin(self, key: str) -> Residency:
        return _RESIDENCY[self.store.pin(key)]

    def unpin(self, key: str) -> None:
        self.store.unpin(key)

    def release(self, key: str) -> None:
        self.store.release(key)


def load_engine(
    folder: Path,
    options: EngineOptions,
    on_progress: Callable[[str, float], None],
    inspect: Callable[[Path], None] | None = None,
    prompts: Mapping[Path, PromptTemplate] | None = None,
    merge: Path | None = None,
) -> LoadedEngine:
    """Read a base model and prepare to serve it; reports what it does and how far it is (0 to 1).

    ``inspect`` is called with every adapter's folder first, and may raise `AdapterError`.
    ``prompts`` are the prompt templates of those folders that have one. An adapter to ``merge``
    becomes a part of the base model, and no other can then be served.

    Raises `ModelError`, or `ConfigError` for settings that this machine or model can't meet.
    """
    on_progress("reading the configuration", 0.0)
    config = read_model_config(folder)
    tokenizers = TokenizerPool(folder, config.eos_ids, prompts)
    threads = use_threads(options.threads)
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device, config.dtype)
    positions = min(options.context_length or config.max_positions, config.max_positions)
    with Checkpoint(folder) as checkpoint:
        digest = _digest(folder, checkpoint)
        weights = base = _weights(folder, checkpoint)
        tokenizer = tokenizers.base
        if merge is not None:
            on_progress(f"merging {merge.name}", 0.0)
            plan = _check_adapter(merge, inspect, sites_of(config), options.max_lora_rank)
            weights = merged = MergedCheckpoint(base, config, sites_of(config), plan)
            config, tokenizer = merged.config, tokenizers.of(merge)
            digest = hashlib.sha256(f"{digest} {adapter_digest(merge)}".encode()).hexdigest()
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
    tokens = _cache_tokens(config, options, positions, dtype, device)
    rows = KVRows(tokens, prefix_cache=options.prefix_cache, switches_at=config.switches_at)
    cache = KVCache(config, tokens, dtype, device)
    sites = sites_of(config)
    evicted: deque[Adapter] = deque()
    store = AdapterStore(
        check=lambda path: _check_adapter(path, inspect, sites, options.max_lora_rank),
        read_tokenizer=tokenizers.of,
        load=lambda plan: load_adapter(plan, sites, dtype, device, base),
        prove=lambda adapter, path: prover.prove(adapter, path),  # noqa: PLW0108 - made below
        max_resident=options.max_resident_adapters,
        on_change=lambda: engine.wake(),  # noqa: PLW0108 - the engine is made below
        on_evict=evicted.append,
        prepare_thread=lambda: torch.set_num_threads(1),
    )
    # OpenMP keeps a team of workers for each thread that computes, and once there are more of them
    # than cores, none waits actively any more: every operation of every step would then begin by
    # waking one. So only the engine's thread has a team.
    runner = ModelRunner(decoder, cache, store.adapter, dtype, device)
    scheduler = Scheduler(
        rows,
        _Pins(store),
        max_batch_size=options.max_batch_size,
        prefill_chunk=options.prefill_chunk or _PREFILL_CHUNK[device],
    )
    core = Engine(runner, scheduler)

    def forget_evicted() -> None:
        # Adapters leave memory in any thread; what was stacked of them belongs to the engine's.
        while evicted:
            runner.forget(evicted.popleft())

    engine = AsyncEngine(
        core,
        capacity=options.max_batch_size + options.max_queue,
        before_step=forget_evicted,
        on_start=lambda: start_team(threads),
    )
    prover = Prover(Scorer(decoder, engine.errands, dtype, device), tokenizers)
    return LoadedEngine(
        engine=engine,
        core=core,
        scheduler=scheduler,
        tokenizer=tokenizer,
        adapters=store,
        config=config,
        digest=digest,
        context_length=min(positions, rows.largest),
        dtype=str(dtype).removeprefix("torch."),
        device=device,
    )


def _weights(folder: Path, checkpoint: Checkpoint) -> Weights:
    quantization = read_quantization(folder)
    return checkpoint if quantization is None else DequantizedCheckpoint(checkpoint, quantization)


def _check_adapter(
    folder: Path, inspect: Callable[[Path], None] | None, sites: Sites, max_rank: int
) -> AdapterPlan:
    if inspect is not None:
        inspect(folder)
    plan = plan_adapter(folder, sites, max_rank=max_rank)
    read_probe_file(folder)
    return plan


def _cache_tokens(
    config: ModelConfig, options: EngineOptions, positions: int, dtype: torch.dtype, device: str
) -> int:
    """Tokens of the KV cache: as configured, else what memory and the batch size suggest."""
    if options.kv_cache_tokens is not None:
        if options.kv_cache_tokens < SMALLEST:
            raise ConfigError(
                f"kv_cache_tokens = {options.kv_cache_tokens} is too small",
                hint=f"It must be at least {SMALLEST}.",
            )
        return options.kv_cache_tokens // SMALLEST * SMALLEST
    per_token = 2 * config.layers * config.kv_size * dtype.itemsize
    share = 0.85 if device == "cuda" else 0.25
    affordable = int(free_memory(device) * share) // per_token
    useful = options.max_batch_size * min(size_for(positions), _TOKENS_PER_ROW)
    return max(min(affordable, max(useful, size_for(positions))) // SMALLEST, 1) * SMALLEST


def _digest(folder: Path, checkpoint: Checkpoint) -> str:
    total = hashlib.sha256((folder / "config.json").read_bytes())
    total.update(checkpoint.layout().encode())
    return total.hexdigest()
