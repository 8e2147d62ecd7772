"""The seam between HTTP and whatever answers: the engine in this process, or another server.

The gateway knows nothing else of what stands behind it. A backend is asked with value objects,
answers with a `Generation`, and raises only errors of `remora.errors`.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from remora.engine.options import RuntimeName
from remora.engine.request import Delta, SamplingParams, Usage
from remora.grammar.expression import Constraint
from remora.lora.probe import ProbeResult
from remora.tools.tools import Tools


class Phase(StrEnum):
    """Where a backend is in its life."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """A backend's phase, in words for a person, and how far it has come (0 to 1).

    ``hint`` says what to do where it failed.
    """

    phase: Phase
    detail: str = ""
    progress: float = 0.0
    hint: str | None = None


class ModelState(StrEnum):
    """An adapter's (or the base's) state; ``REGISTERED`` is on disk and loads on first use."""

    REGISTERED = "registered"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One entry of ``/v1/models``; ``parent`` is None for the base model itself.

    ``probe`` is what the proof of an adapter found, None until it has been loaded once; ``runtime``
    says whose code runs the model, None while that is not known.
    """

    id: str
    parent: str | None
    state: ModelState
    digest: str
    created: int
    context_length: int
    reason: str | None = None
    rank: int | None = None
    probe: ProbeResult | None = None
    runtime: RuntimeName | None = None


@dataclass(frozen=True, slots=True)
class AdapterSource:
    """An adapter's folder, and the digest that it must have."""

    folder: Path
    digest: str


@dataclass(frozen=True, slots=True)
class AdapterChange:
    """Adapters to add or replace and names to remove, all at one moment.

    ``release`` is what the backend serves afterwards; fingerprints are made from it.
    """

    release: str
    put: Mapping[str, AdapterSource] = field(default_factory=dict)
    remove: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Messages to answer, in the shape of the OpenAI API; ``model`` names the adapter or base.

    ``template_variables`` are passed to the chat template (``enable_thinking`` of Qwen3, say).
    ``constraint`` bounds what the answer may be, unless it calls one of the ``tools``.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    n: int = 1
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    template_variables: Mapping[str, Any] = field(default_factory=dict)
    constraint: Constraint | None = None
    tools: Tools | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A text or a list of token ids to go on from, as it is."""

    model: str
    prompt: str | Sequence[int]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    n: int = 1
    constraint: Constraint | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of a text, and how many fit into the context."""

    ids: Sequence[int]
    texts: Sequence[str]
    context_length: int


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a backend is now; counters count since start."""

    running: int = 0
    waiting: int = 0
    kv_tokens_used: int = 0
    kv_tokens_total: int = 0
    resident_adapters: int = 0
    steps: int = 0
    batch_rows: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    cached_tokens: int = 0
    preemptions: int = 0


def fingerprint(served: str, adapter: str) -> str:
    """Short digest of a release (or what stands for one) and an adapter's version, "" for none."""
    return "fp_" + hashlib.sha256(f"{served} {adapter}".encode()).hexdigest()[:12]


class Generation(Protocol):
    """An accepted request. Iterate `deltas` to its end, or `cancel`, which frees its place.

    ``usage`` grows while the deltas arrive and is final after the last one.
    """

    @property
    def model(self) -> ModelCard: ...

    @property
    def fingerprint(self) -> str:
        """Short digest of what answers: the release (without one: base and settings) and the
        adapter's version."""
        ...

    @property
    def usage(self) -> Usage: ...

    def deltas(self) -> AsyncIterator[Delta]:
        """Deltas of all choices as they arrive; what piles up for a slow reader is merged."""
        ...

    def cancel(self) -> None:
        """Stop generating within one step. Harmless after the end, and when called twice."""
        ...


class Service(Protocol):
    """What an app needs of whatever stands behind it, be it this process or another server."""

    def status(self) -> Status: ...

    def load(self) -> Load: ...

    async def drain(self) -> None:
        """Refuse new requests (`NotReady`) and return when the running ones have ended."""
        ...

    async def close(self) -> None: ...


class Backend(Service, Protocol):
    """Whatever answers requests. Methods that take a model raise `ModelNotFound`, and
    `NotReady` while the backend is not ready."""

    def models(self) -> Sequence[ModelCard]:
        """The base first, then the adapters by name, loaded or not."""
        ...

    def defaults(self) -> SamplingParams:
        """How the tokens of a request are chosen that says nothing of it; of all models alike."""
        ...

    async def chat(self, request: ChatRequest) -> Generation:
        """Admit a chat request; raises before anything is generated if it can't be."""
        ...

    async def complete(self, request: CompletionRequest) -> Generation: ...

    async def tokenize(self, model: str, text: str, *, add_special_tokens: bool) -> Tokens: ...

    async def tokenize_chat(self, request: ChatRequest) -> Tokens: ...

    async def detokenize(self, model: str, ids: Sequence[int]) -> str: ...

    async def add_adapter(self, name: str, path: Path, *, replace: bool) -> ModelCard:
        """Load, check and publish an adapter; streams of an older version run to their end."""
        ...

    async def remove_adapter(self, name: str) -> None:
        """Unpublish an adapter; its running streams go on to their end."""
        ...

    async def change_adapters(self, change: AdapterChange) -> None:
        """Load and check what is new, then publish all of the change at one moment, or nothing of
        it: raises `AdapterError` for the first adapter that can't be served."""
        ...
