"""The backend that answers with the engine in this process."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from remora.backends.backend import (
    AdapterChange,
    ChatRequest,
    CompletionRequest,
    Generation,
    Load,
    ModelCard,
    ModelState,
    Phase,
    Status,
    Tokens,
    fingerprint,
)
from remora.backends.engine_generation import EngineGeneration, refusal
from remora.backends.grammars import Grammars
from remora.backends.inspector import Inspector
from remora.backends.loading import load_all
from remora.backends.model_cards import adapter_card, base_card
from remora.backends.prompts import chat_prompt, check_ids, max_length, tool_format
from remora.backends.tool_calls import CallingGeneration, constraint_with
from remora.engine.options import EngineOptions
from remora.engine.request import SamplingParams
from remora.errors import (
    AdapterBroken,
    Conflict,
    ModelNotFound,
    NotReady,
    RemoraError,
    RequestError,
)

if TYPE_CHECKING:
    from remora.engine.assembly import LoadedEngine
    from remora.engine.grammar import Grammar
    from remora.engine.tokenizer import Tokenizer
    from remora.formats.prompt_template import PromptTemplate
    from remora.lora.version import Version

logger = logging.getLogger(__name__)

_DRAIN_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class _Admitted:
    """What answers a request; ``version`` is None for the base."""

    card: ModelCard
    fingerprint: str
    version: Version | None


class EngineBackend:
    """A base model and adapters in this process; loads in a thread after `start`."""

    def __init__(
        self,
        base: Path,
        name: str,
        adapters: Mapping[str, Path],
        options: EngineOptions,
        on_progress: Callable[[Status], None] = lambda status: None,
        *,
        release: str = "",
        inspector: Inspector | None = None,
        prompts: Mapping[Path, PromptTemplate] | None = None,
        merge: Path | None = None,
        defaults: SamplingParams | None = None,
    ) -> None:
        """``merge`` is an adapter that becomes a part of the base; then there can be no others.
        ``defaults`` are for what a request leaves out."""
        assert merge is None or not adapters
        self._base = base
        self._name = name
        self._initial = dict(adapters)
        self._options = options
        self._on_progress = on_progress
        self._release = release
        self._inspector = inspector
        self._prompts = dict(prompts or {})
        self._merge = merge
        self._defaults = defaults or SamplingParams()
        self._status = Status(Phase.LOADING, "starting")
        self._created = int(time.time())
        self._loaded: LoadedEngine | None = None
        self._grammars = Grammars()
        self._thread = threading.Thread(target=self._load_all, name="remora-load", daemon=True)

    def start(self) -> None:
        """Begin to load. `status` tells when it is done, or why it failed."""
        self._thread.start()

    def status(self) -> Status:
        return self._status

    def models(self) -> Sequence[ModelCard]:
        loaded = self._loaded
        if loaded is None:
            state = ModelState.FAILED if self._status.phase is Phase.FAILED else ModelState.LOADING
            parents = {self._name: None} | dict.fromkeys(sorted(self._initial), self._name)
            return [ModelCard(*entry, state, "", self._created, 0) for entry in parents.items()]
        known = loaded.adapters.names()
        return [
            base_card(loaded, self._name, self._created),
            *(adapter_card(loaded, self._name, *entry) for entry in known),
        ]

    def defaults(self) -> SamplingParams:
        return self._defaults

    def load(self) -> Load:
        loaded = self._loaded
        if loaded is None:
            return Load()
        counters, scheduler = loaded.core.counters, loaded.scheduler
        return Load(
            running=scheduler.running,
            waiting=scheduler.waiting,
            kv_tokens_used=scheduler.rows.used,
            kv_tokens_total=scheduler.rows.total,
            resident_adapters=loaded.adapters.resident,
            steps=counters.steps,
            batch_rows=counters.rows,
            prompt_tokens=counters.prompt_tokens,
            generated_tokens=counters.generated_tokens,
            cached_tokens=counters.cached_tokens,
            preemptions=scheduler.preemptions,
        )

    async def chat(self, request: ChatRequest) -> Generation:
        loaded, tools = self._ready(), request.tools
        with self._admitted(loaded, request.model, request.n) as admitted:
            if tools is None:
                return await self._chat(loaded, admitted, request)
            found = tool_format(_tokenizer(loaded, admitted.version), request.model)
            constraint = constraint_with(found, tools, request.constraint)
            request = replace(request, constraint=constraint)
            generation = await self._chat(loaded, admitted, request, found.markers)
            return CallingGeneration(generation, found, tools)

    async def _chat(
        self,
        loaded: LoadedEngine,
        admitted: _Admitted,
        request: ChatRequest,
        shown: Sequence[str] = (),
    ) -> EngineGeneration:
        ids = await self._chat_prompt(loaded, admitted.version, request)
        grammar = await self._grammar(loaded, admitted.version, request)
        return self._submit(loaded, admitted, ids, request, grammar, "messages", shown)

    async def complete(self, request: CompletionRequest) -> EngineGeneration:
        loaded = self._ready()
        with self._admitted(loaded, request.model, request.n) as admitted:
            prompt = request.prompt
            if isinstance(prompt, str):
                tokenizer = _tokenizer(loaded, admitted.version)
                ids = await asyncio.to_thread(tokenizer.encode, prompt, add_special_tokens=True)
            else:
                ids = list(prompt)
            check_ids(ids, _vocab(loaded, admitted.version), "prompt")
            grammar = await self._grammar(loaded, admitted.version, request)
            return self._submit(loaded, admitted, ids, request, grammar, "prompt")

    async def tokenize(self, model: str, text: str, *, add_special_tokens: bool) -> Tokens:
        loaded = self._ready()
        tokenizer = _tokenizer(loaded, self._find(loaded, model))
        ids = await asyncio.to_thread(tokenizer.encode, text, add_special_tokens=add_special_tokens)
        return _tokens(loaded, tokenizer, ids)

    async def tokenize_chat(self, request: ChatRequest) -> Tokens:
        loaded = self._ready()
        version = self._find(loaded, request.model)
        if request.tools is not None:
            tool_format(_tokenizer(loaded, version), request.model)
        ids = await self._chat_prompt(loaded, version, request)
        return _tokens(loaded, _tokenizer(loaded, version), ids)

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        loaded = self._ready()
        version = self._find(loaded, model)
        check_ids(ids, _vocab(loaded, version), "tokens")
        return _tokenizer(loaded, version).decode(ids)

    async def add_adapter(self, name: str, path: Path, *, replace: bool) -> ModelCard:
        loaded = self._ready()
        self._refuse_if_merged()
        if name == self._name:
            raise RequestError("An adapter can't have the base model's name.", param="name")
        await asyncio.to_thread(loaded.adapters.add, name, path, replace=replace)
        version = loaded.adapters.resolve(name)
        if version is None:
            raise ModelNotFound(name)
        return adapter_card(loaded, self._name, name, version)

    async def remove_adapter(self, name: str) -> None:
        self._ready().adapters.remove(name)

    async def change_adapters(self, change: AdapterChange) -> None:
        if change.put:
            self._refuse_if_merged()
        adapters = self._ready().adapters
        folders = {name: source.folder for name, source in change.put.items()}
        staged = await asyncio.to_thread(adapters.stage, folders)
        for name, source in change.put.items():
            if staged[name].key != source.digest:
                adapters.discard(staged)
                raise AdapterBroken(
                    f"the adapter {name!r} has other files than the release says",
                    hint="Something overwrote them; deploy again to release what is there now.",
                )
        # Requests are admitted in this thread: none sees a part of the change.
        adapters.publish(staged, change.remove)
        self._release = change.release

    def _refuse_if_merged(self) -> None:
        if self._merge is not None:
            raise Conflict(
                f"The base model has an adapter merged into it ({self._name}): no other fits it.",
                hint="Serve without --merge.",
            )

    async def drain(self) -> None:
        self._set(Phase.DRAINING, "ending the running streams", 1.0)
        while self._loaded is not None and self._loaded.engine.held:  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_POLL_SECONDS)

    async def close(self) -> None:
        if self._loaded is not None:
            self._set(Phase.DRAINING, "closed", 1.0)
            await asyncio.to_thread(self._loaded.engine.close)
            self._loaded.adapters.close()

    def _load_all(self) -> None:
        try:
            loaded = load_all(
                self._base,
                self._initial,
                self._options,
                lambda detail, progress: self._set(Phase.LOADING, detail, progress),
                self._inspector,
                self._prompts,
                self._merge,
            )
        except RemoraError as error:
            self._set(Phase.FAILED, str(error), 0.0, error.hint)
        except Exception as error:
            logger.exception("loading %s failed", self._base)
            self._set(Phase.FAILED, f"loading {self._base} failed: {error!r}", 0.0)
        else:
            self._loaded = loaded
            self._set(Phase.READY, f"{loaded.dtype} on {loaded.device}", 1.0)

    def _set(self, phase: Phase, detail: str, progress: float, hint: str | None = None) -> None:
        self._status = Status(phase, detail, progress, hint)
        self._on_progress(self._status)

    def _ready(self) -> LoadedEngine:
        if self._status.phase is Phase.READY and self._loaded is not None:
            return self._loaded
        raise NotReady(f"The endpoint is {self._status.phase}: {self._status.detail}.")

    def _find(self, loaded: LoadedEngine, model: str) -> Version | None:
        """The adapter version that a request names, None for the base."""
        if model == self._name:
            return None
        return self._usable(loaded, model, loaded.adapters.resolve(model))

    def _usable(self, loaded: LoadedEngine, model: str, version: Version | None) -> Version:
        if version is None:
            names = [self._name, *(name for name, _ in loaded.adapters.names())]
            raise ModelNotFound(model, near=get_close_matches(model, names))
        if version.reason is not None:
            raise refusal(model, version)
        return version

    async def _chat_prompt(
        self, loaded: LoadedEngine, version: Version | None, request: ChatRequest
    ) -> list[int]:
        ids = await asyncio.to_thread(chat_prompt, _tokenizer(loaded, version), request)
        check_ids(ids, _vocab(loaded, version), "messages")
        return ids

    async def _grammar(
        self,
        loaded: LoadedEngine,
        version: Version | None,
        request: ChatRequest | CompletionRequest,
    ) -> Grammar | None:
        """What holds the answer to the request's constraint, if it has one."""
        if request.constraint is None:
            return None
        tokenizer = _tokenizer(loaded, version)
        return await asyncio.to_thread(self._grammars.compile, tokenizer, request.constraint)

    @contextmanager
    def _admitted(self, loaded: LoadedEngine, model: str, n: int) -> Iterator[_Admitted]:
        """What answers a request from now on, whatever is published before it is submitted."""
        version = None
        if model != self._name:
            version = self._usable(loaded, model, loaded.adapters.acquire(model, n))
        try:
            yield _Admitted(
                base_card(loaded, self._name, self._created)
                if version is None
                else adapter_card(loaded, self._name, model, version),
                self._fingerprint(loaded, version),
                version,
            )
        except BaseException:
            if version is not None:
                loaded.adapters.release(version.key, n)
            raise

    def _submit(
        self,
        loaded: LoadedEngine,
        admitted: _Admitted,
        ids: list[int],
        asked: ChatRequest | CompletionRequest,
        grammar: Grammar | None,
        param: str,
        shown: Sequence[str] = (),
    ) -> EngineGeneration:
        from remora.engine.engine import EngineRequest

        params, vocab = asked.sampling, _vocab(loaded, admitted.version)
        check_ids(params.logit_bias, vocab, "logit_bias")
        check_ids(params.stop_token_ids, vocab, "stop_token_ids")
        tokenizer = _tokenizer(loaded, admitted.version)
        request = EngineRequest(
            owner=None,
            tokens=ids,
            params=params,
            max_length=max_length(len(ids), params, loaded.context_length, param),
            endings=tokenizer.endings,
            tokenizer=tokenizer,
            n=asked.n,
            grammar=grammar,
            shown=[token for name in shown if (token := tokenizer.id_of(name)) is not None],
            adapter=None if admitted.version is None else admitted.version.key,
        )
        stream = loaded.engine.submit(request)
        return EngineGeneration(admitted.card, admitted.fingerprint, admitted.version, stream)

    def _fingerprint(self, loaded: LoadedEngine, version: Version | None) -> str:
        served = self._release or f"{loaded.digest} {loaded.dtype}"
        return fingerprint(served, version.key if version else "")


def _tokenizer(loaded: LoadedEngine, version: Version | None) -> Tokenizer:
    """The adapter's own where it has one, for it was trained with that."""
    if version is None:
        return loaded.tokenizer
    tokenizer: Tokenizer = version.tokenizer
    return tokenizer


def _vocab(loaded: LoadedEngine, version: Version | None) -> int:
    """How many tokens a model reads: an adapter may have added some to the base's."""
    plan = None if version is None else version.plan
    return loaded.vocab if plan is None else plan.embedded


def _tokens(loaded: LoadedEngine, tokenizer: Tokenizer, ids: Sequence[int]) -> Tokens:
    texts = [tokenizer.token_text(token) for token in ids]
    return Tokens(ids, texts, loaded.context_length)
