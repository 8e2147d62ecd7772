"""Puts an engine together around whatever runs the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from remora.engine.async_engine import AsyncEngine
from remora.engine.device import free_memory
from remora.engine.engine import Engine, Runner
from remora.engine.errands import Errands
from remora.engine.extents import SMALLEST, size_for
from remora.engine.kv_rows import KVRows
from remora.engine.options import EngineOptions, RuntimeName
from remora.engine.prover import Prover
from remora.engine.scheduler import Residency, Scheduler
from remora.engine.scorer import Scorer
from remora.engine.threads import cores, start_team, stay_single
from remora.engine.tokenizer import Tokenizer
from remora.engine.tokenizer_pool import TokenizerPool
from remora.errors import ConfigError
from remora.formats.probe_file import read_probe_file
from remora.lora.store import AdapterStore
from remora.lora.version import Plan, VersionState

_RESIDENCY = {
    VersionState.READY: Residency.PINNED,
    VersionState.LOADING: Residency.LOADING,
    VersionState.REGISTERED: Residency.NO_ROOM,
    VersionState.FAILED: Residency.GONE,
    None: Residency.GONE,
}
_PREFILL_CHUNK = {"cpu": 256, "cuda": 2048}
_TOKENS_PER_ROW = 2048
# An adapter of some millions of numbers is read by then; a larger one goes on beside the streams.
_STANDSTILL_SECONDS = 0.04


class ForgetfulRunner(Runner, Protocol):
    """A runner that keeps something of the adapters that it has seen."""

    def forget(self, adapter: Any) -> None:
        """Let go of an adapter that leaves memory; called in the engine's thread."""
        ...


class Runtime(Protocol):
    """A base model in memory, and how adapters get onto it.

    ``positions`` are the most tokens of a sequence, ``rows`` the room for their keys and values.
    ``digest`` (hex) identifies the base model.
    """

    @property
    def name(self) -> RuntimeName: ...

    @property
    def vocab(self) -> int: ...

    @property
    def positions(self) -> int: ...

    @property
    def rows(self) -> KVRows: ...

    @property
    def digest(self) -> str: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def device(self) -> str: ...

    def plan(self, folder: Path) -> Plan:
        """Check an adapter's header. Raises `AdapterError`."""
        ...

    def load(self, plan: Any, errands: Errands) -> Any:
        """Read an adapter into memory, in a thread that is not the engine's. Raises
        `AdapterError`."""
        ...

    def runner(
        self, resident: Callable[[str], Any], run_errand: Callable[[], bool]
    ) -> ForgetfulRunner:
        """Computes steps; ``resident`` gives the adapter in memory of a pinned key. In each step
        ``run_errand`` does a piece of other threads' work, if there is any, and tells so."""
        ...

    def scorer(self, errands: Errands) -> Scorer: ...


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
    prover: Prover
    runtime: RuntimeName
    vocab: int
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


def assemble(
    runtime: Runtime,
    tokenizers: TokenizerPool,
    tokenizer: Tokenizer,
    options: EngineOptions,
    threads: int,
    inspect: Callable[[Path], None] | None = None,
) -> LoadedEngine:
    """An engine over a runtime that computes with so many ``threads``; ``tokenizer`` is the base's.

    ``inspect`` is called with every adapter's folder first, and may raise `AdapterError`.
    """
    evicted: deque[Any] = deque()
    own = cores()

    def forget_evicted() -> None:
        # Adapters leave memory in any thread; what a runner has made of them is the engine's.
        while evicted:
            runner.forget(evicted.popleft())

    def check(folder: Path) -> Plan:
        if inspect is not None:
            inspect(folder)
        plan = runtime.plan(folder)
        read_probe_file(folder)
        return plan

    # On transformers' code an adapter is loaded by an errand.
    reads_beside = runtime.name == "remora" and runtime.device == "cpu"

    def alone() -> AbstractContextManager[None]:
        if reads_beside and threads >= len(own):
            return engine.errands.standstill(_STANDSTILL_SECONDS)
        return nullcontext()

    def on_evict(adapter: Any) -> None:
        evicted.append(adapter)
        engine.wake()

    store = AdapterStore(
        check=check,
        read_tokenizer=tokenizers.of,
        load=lambda plan: runtime.load(plan, engine.errands),
        prove=lambda adapter, path: prover.prove(adapter, path),  # noqa: PLW0108 - made below
        max_resident=options.max_resident_adapters,
        on_change=lambda: engine.wake(),  # noqa: PLW0108 - the engine is made below
        on_evict=on_evict,
        alone=alone,
        prepare_thread=lambda: stay_single(own),
        rehearses=reads_beside,
    )
    runner = runtime.runner(
        store.adapter,
        lambda: engine.errands.run_one(),  # noqa: PLW0108 - the engine is made below
    )
    scheduler = Scheduler(
        runtime.rows,
        _Pins(store),
        max_batch_size=options.max_batch_size,
        prefill_chunk=options.prefill_chunk or _PREFILL_CHUNK[runtime.device],
    )
    core = Engine(runner, scheduler)
    engine = AsyncEngine(
        core,
        capacity=options.max_batch_size + options.max_queue,
        between_steps=forget_evicted,
        on_start=lambda: start_team(threads),
        on_idle=store.load_ahead,
    )
    prover = Prover(runtime.scorer(engine.errands), tokenizers)
    return LoadedEngine(
        engine=engine,
        core=core,
        scheduler=scheduler,
        tokenizer=tokenizer,
        adapters=store,
        prover=prover,
        runtime=runtime.name,
        vocab=runtime.vocab,
        digest=runtime.digest,
        context_length=min(runtime.positions, runtime.rows.largest),
        dtype=str(runtime.dtype).removeprefix("torch."),
        device=runtime.device,
    )


def cache_tokens(per_token: int, options: EngineOptions, positions: int, device: str) -> int:
    """Tokens of the KV cache: as configured, else what memory and the batch size suggest.

    ``per_token`` are the bytes that one takes. Raises `ConfigError`.
    """
    if options.kv_cache_tokens is not None:
        if options.kv_cache_tokens < SMALLEST:
            raise ConfigError(
                f"kv_cache_tokens = {options.kv_cache_tokens} is too small",
                hint=f"It must be at least {SMALLEST}.",
            )
        return options.kv_cache_tokens // SMALLEST * SMALLEST
    share = 0.85 if device == "cuda" else 0.25
    affordable = int(free_memory(device) * share) // per_token
    useful = options.max_batch_size * min(size_for(positions), _TOKENS_PER_ROW)
    return max(min(affordable, max(useful, size_for(positions))) // SMALLEST, 1) * SMALLEST
