"""Tiny models for tests: made once a session, and asked through the public door."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from remora.backends.backend import CompletionRequest, Generation, Phase, Status
from remora.backends.engine_backend import EngineBackend
from remora.engine.options import EngineOptions
from remora.engine.request import FinishReason, SamplingParams, TokenLogprob
from remora.formats.prompt_template import PromptTemplate

if TYPE_CHECKING:
    from tests.engine.oracle import Oracle

FAMILIES = (
    "llama2",
    "llama3",
    "mistral",
    "qwen2",
    "qwen3",
    "phi2",
    "phi3",
    "phi4",
    "smollm3",
    "gemma2",
    "gemma3",
)
ADAPTERS = ("all", "attention", "patterns", "rslora")
EOS = 299
SECONDS = 25
"""More than any test takes: what waits longer hangs."""


@dataclass(frozen=True)
class Tiny:
    """A random model of one family with its adapters, on disk."""

    folder: Path
    family: str
    adapters: Mapping[str, Path] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        return self.folder / "base"

    @cached_property
    def oracle(self) -> Oracle:
        """What transformers and PEFT say, in float32."""
        from tests.engine.oracle import Oracle

        return Oracle(self.base, dict(self.adapters))

    def expect(self, model: str, prompt: list[int], answer: list[int]) -> None:
        """Fail unless an answer is the oracle's greedy one, token for token."""
        adapter = None if model == "base" else model
        assert answer == self.oracle.follow(adapter, prompt, answer), (self.family, model)


@dataclass
class Answer:
    """All that one choice of a generation gave."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None


def make_tiny(folder: Path, family: str) -> Tiny:
    """Make a family's model and adapters; takes about a second."""
    from tests.engine import oracle

    base = oracle.make_model(folder / "base", family)
    adapters = {
        name: oracle.make_adapter(base, folder / name, config, seed=seed)
        for seed, (name, config) in enumerate(oracle.adapters_of(family).items())
    }
    return Tiny(folder, family, adapters)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tiny]:
    """Gives the tiny model of a family, made on first use."""
    made: dict[str, Tiny] = {}

    def give(family: str = "llama2") -> Tiny:
        if family not in made:
            made[family] = make_tiny(tmp_path_factory.mktemp(family), family)
        return made[family]

    return give


@pytest.fixture(scope="session")
def serve(tiny: Callable[[str], Tiny]) -> Iterator[Callable[..., EngineBackend]]:
    """Gives a running backend of a family's base and adapters; equal options share one."""
    running: dict[tuple[object, ...], EngineBackend] = {}

    def give(family: str = "llama2", **options: Any) -> EngineBackend:
        key = (family, *sorted(options.items()))
        if key not in running:
            model = tiny(family)
            running[key] = start(model.base, model.adapters, **options)
        return running[key]

    yield give
    for backend in running.values():
        asyncio.run(backend.close())


def start(
    base: Path,
    adapters: Mapping[str, Path],
    prompts: Mapping[Path, PromptTemplate] | None = None,
    merge: Path | None = None,
    **options: Any,
) -> EngineBackend:
    """A backend that is ready, or has failed to load. Exact and small, unless told otherwise."""
    settings = {"dtype": "float32", "device": "cpu", "threads": 1, "kv_cache_tokens": 8192}
    settled = threading.Event()

    def on_progress(status: Status) -> None:
        if status.phase is not Phase.LOADING:
            settled.set()

    engine_options = EngineOptions(**{**settings, **options})
    backend = EngineBackend(
        base, "base", adapters, engine_options, on_progress, prompts=prompts, merge=merge
    )
    backend.start()
    assert settled.wait(SECONDS), backend.status()
    return backend


@contextlib.asynccontextmanager
async def serving(
    base: Path, adapters: Mapping[str, Path], **options: Any
) -> AsyncIterator[EngineBackend]:
    """A backend of a test's own."""
    backend = await asyncio.to_thread(start, base, adapters, **options)
    try:
        assert backend.status().phase is Phase.READY, backend.status()
        yield backend
    finally:
        await asyncio.wait_for(backend.close(), SECONDS)


def greedy(tokens: int, **params: Any) -> SamplingParams:
    """So many of the likeliest tokens, whatever they are."""
    return SamplingParams(**{"temperature": 0, "max_tokens": tokens, "ignore_eos": True, **params})


def prompt(length: int, seed: int = 0) -> list[int]:
    """Random token ids of ordinary bytes."""
    return random.Random(f"{length} {seed}").choices(range(256), k=length)


async def submit(
    backend: EngineBackend, model: str, ids: list[int] | str, params: SamplingParams, n: int = 1
) -> Generation:
    return await backend.complete(CompletionRequest(model, ids, params, n))


async def collect(generation: Generation, n: int = 1) -> list[Answer]:
    """All choices to their ends."""
    answers = [Answer() for _ in range(n)]

    async def read() -> None:
        async for delta in generation.deltas():
            answer = answers[delta.index]
            assert answer.finish_reason is None, "a delta after the end"
            answer.text += delta.text
            answer.tokens += delta.token_ids
            answer.logprobs += delta.logprobs
            answer.finish_reason = delta.finish_reason

    await asyncio.wait_for(read(), SECONDS)
    return answers


async def ask(
    backend: EngineBackend, model: str, ids: list[int] | str, params: SamplingParams
) -> Answer:
    """One answer to its end."""
    return (await collect(await submit(backend, model, ids, params)))[0]


async def until_proved(backend: EngineBackend) -> None:
    """Wait until all adapters that have room in memory were loaded ahead, and proved."""

    async def poll() -> None:
        while any(card.probe is None for card in backend.models()[1:]):  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    await asyncio.wait_for(poll(), SECONDS)


async def until_idle(backend: EngineBackend) -> None:
    """Wait until nothing runs or waits, then check that nothing has leaked."""
    assert backend._loaded is not None
    engine, core = backend._loaded.engine, backend._loaded.core

    async def poll() -> None:
        while engine.held:  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    await asyncio.wait_for(poll(), SECONDS)
    core.check()
    assert backend.load().kv_tokens_used == 0
    assert all(
        version.pins == version.holds == 0 for _, version in backend._loaded.adapters.names()
    )
