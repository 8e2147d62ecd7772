"""A backend that answers by a script: what each test needs, with no model behind it.

The prompt's last word chooses the script; any other prompt is answered with its own words::

    slow      a token every 5 ms, 10,000 of them
    stall     one token, then nothing until it is cancelled
    mute      nothing at all until it is cancelled
    break     two tokens, then `EngineFailure`
    crash     two tokens, then an exception that nobody planned
    early     `EngineFailure` before the first token
    errored   a delta whose finish reason is ERROR
    full      `QueueFull` at admission
    long      `PromptTooLong` at admission
    burst     as many tokens as `max_tokens`, with no wait between them
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from remora.backends.backend import (
    AdapterChange,
    ChatRequest,
    CompletionRequest,
    Load,
    ModelCard,
    ModelState,
    Phase,
    Status,
    Tokens,
)
from remora.engine.request import Delta, FinishReason, SamplingParams, TokenLogprob, Usage
from remora.errors import (
    AdapterBroken,
    Conflict,
    EngineFailure,
    ModelNotFound,
    NotReady,
    PromptTooLong,
    QueueFull,
)
from remora.lora.probe import ProbeResult

CONTEXT = 4096


def card(name: str, parent: str | None = "base", **fields: Any) -> ModelCard:
    state = fields.pop("state", ModelState.READY)
    return ModelCard(name, parent, state, f"digest-{name}", 1_700_000_000, CONTEXT, **fields)


class ScriptedGeneration:
    """Yields what the script says; remembers whether it was cancelled."""

    def __init__(self, model: ModelCard, words: list[str], script: str, request: Any) -> None:
        self.model = model
        self.fingerprint = f"fp-{model.digest}"
        self.usage = Usage(prompt_tokens=len(words), cached_tokens=min(1, len(words)))
        self.cancelled = asyncio.Event()
        self.ended = False
        self._words, self._script, self._request = words, script, request

    async def deltas(self) -> AsyncIterator[Delta]:
        try:
            async for delta in self._play():
                self.usage = replace(
                    self.usage,
                    completion_tokens=self.usage.completion_tokens + len(delta.token_ids),
                )
                yield delta
        except Exception:
            self.ended = True
            raise
        self.ended = True

    def cancel(self) -> None:
        if not self.ended:
            self.cancelled.set()

    async def _play(self) -> AsyncIterator[Delta]:
        plays = {"slow": self._slow, "burst": self._burst, "stall": self._stall}
        plays |= dict.fromkeys(("break", "crash", "errored"), self._fail)
        if self._script == "early":
            raise EngineFailure("The engine broke before the first token.")
        if self._script == "mute":
            await self.cancelled.wait()
            return
        async for delta in plays.get(self._script, self._echo)(self._limit()):
            yield delta

    def _limit(self) -> int:
        limit: int | None = self._request.sampling.max_tokens
        return CONTEXT if limit is None else limit

    async def _slow(self, limit: int) -> AsyncIterator[Delta]:
        for i in range(min(limit, 10_000)):
            if self.cancelled.is_set():
                return
            yield self._delta(0, f"{i} ", i)
            await asyncio.sleep(0.005)
        yield Delta(0, "", finish_reason=FinishReason.LENGTH)

    async def _burst(self, limit: int) -> AsyncIterator[Delta]:
        for i in range(limit):
            yield self._delta(0, "word ", i)
        yield Delta(0, "", finish_reason=FinishReason.LENGTH)

    async def _stall(self, limit: int) -> AsyncIterator[Delta]:
        yield self._delta(0, "one ", limit)
        await self.cancelled.wait()

    async def _fail(self, limit: int) -> AsyncIterator[Delta]:
        yield self._delta(0, "one ", limit)
        yield self._delta(0, "two ", limit)
        if self._script == "break":
            raise EngineFailure("The engine broke while it answered.")
        if self._script == "crash":
            raise ZeroDivisionError("a secret of the inside")
        yield Delta(0, "", finish_reason=FinishReason.ERROR)

    async def _echo(self, limit: int) -> AsyncIterator[Delta]:
        said = self._words[:limit]
        reason = FinishReason.LENGTH if len(said) < len(self._words) else FinishReason.STOP
        for token, word in enumerate(said):
            for index in range(self._request.n):
                yield self._delta(index, word if token == 0 else " " + word, token)
            await asyncio.sleep(0)
        for index in range(self._request.n):
            yield Delta(index, "", finish_reason=reason)

    def _delta(self, index: int, text: str, token: int) -> Delta:
        wanted = self._request.sampling.logprobs
        if wanted is None:
            return Delta(index, text, (token,))
        top = tuple(
            TokenLogprob(100 + i, f"t{i}", f"t{i}".encode(), -1.0 - i) for i in range(wanted)
        )
        logprob = TokenLogprob(token, text, text.encode(), -0.5, top)
        return Delta(index, text, (token,), (logprob,))


class ScriptedBackend:
    """Implements `Backend`. ``requests`` and ``generations`` hold what was asked, in order."""

    def __init__(self, phase: Phase = Phase.READY) -> None:
        self.phase = phase
        self.requests: list[ChatRequest | CompletionRequest] = []
        self.generations: list[ScriptedGeneration] = []
        self.closed = False
        self.sampling = SamplingParams()
        self.tokenized: list[ChatRequest] = []
        self._draining = False
        self._cards = {
            "base": card("base", None),
            "support": card("support", rank=16, probe=ProbeResult("5eed", 3.5, 0.25)),
            "idle": card("idle", state=ModelState.REGISTERED, rank=8),
            "bad": card("bad", state=ModelState.FAILED, reason="NaN in lora_B"),
            "org/nested@1": card("org/nested@1"),
        }

    def status(self) -> Status:
        detail = {Phase.LOADING: "reading weights", Phase.FAILED: "no such folder"}
        return Status(
            self.phase, detail.get(self.phase, ""), 0.25 if self.phase is Phase.LOADING else 1.0
        )

    def models(self) -> Sequence[ModelCard]:
        return list(self._cards.values())

    def defaults(self) -> SamplingParams:
        return self.sampling

    def load(self) -> Load:
        return Load(running=len(self._running()), kv_tokens_total=CONTEXT, steps=7, batch_rows=21)

    async def chat(self, request: ChatRequest) -> ScriptedGeneration:
        return self._admit(request, _text(request.messages[-1]))

    async def complete(self, request: CompletionRequest) -> ScriptedGeneration:
        prompt = request.prompt
        text = prompt if isinstance(prompt, str) else await self.detokenize(request.model, prompt)
        return self._admit(request, text)

    async def tokenize(self, model: str, text: str, *, add_special_tokens: bool) -> Tokens:
        self._card(model)
        texts = (["<s>"] if add_special_tokens else []) + text.split()
        return Tokens([len(text) for text in texts], texts, CONTEXT)

    async def tokenize_chat(self, request: ChatRequest) -> Tokens:
        self._card(request.model)
        self.tokenized.append(request)
        texts = [f"<{m['role']}>{m['content']}" for m in request.messages]
        texts += ["<assistant>"] if request.add_generation_prompt else []
        return Tokens(list(range(len(texts))), texts, CONTEXT)

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        self._card(model)
        return " ".join(f"id{token}" for token in ids)

    async def add_adapter(self, name: str, path: Path, *, replace: bool) -> ModelCard:
        if not (path / "adapter_config.json").is_file():
            raise AdapterBroken(f"Adapter {name!r}: {path.name} holds no adapter_config.json.")
        if name in self._cards and not replace:
            raise Conflict(f"The name {name!r} is taken.", param="name")
        self._cards[name] = card(name, rank=4)
        return self._cards[name]

    async def remove_adapter(self, name: str) -> None:
        self._card(name)
        del self._cards[name]

    async def change_adapters(self, change: AdapterChange) -> None:
        for name, source in change.put.items():
            await self.add_adapter(name, source.folder, replace=True)
        for name in change.remove:
            await self.remove_adapter(name)

    async def drain(self) -> None:
        self._draining = True
        for generation in self._running():
            while not generation.ended:  # noqa: ASYNC110 - a cancelled one may never end
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.closed = True

    def _running(self) -> list[ScriptedGeneration]:
        return [g for g in self.generations if not g.ended and not g.cancelled.is_set()]

    def _card(self, model: str) -> ModelCard:
        if self.phase is not Phase.READY or self._draining:
            raise NotReady("The backend is not ready.")
        if model not in self._cards:
            raise ModelNotFound(model, near=["support"] if model.startswith("sup") else [])
        return self._cards[model]

    def _admit(self, request: Any, text: str) -> ScriptedGeneration:
        found = self._card(request.model)
        words = text.split()
        script = words[-1] if words else ""
        if script == "full":
            raise QueueFull("256 requests are waiting.", retry_after=3)
        if script == "long":
            raise PromptTooLong("The prompt has 9999 tokens.", param="messages")
        self.requests.append(request)
        self.generations.append(ScriptedGeneration(found, words, script, request))
        return self.generations[-1]


def _text(message: Mapping[str, Any]) -> str:
    return str(message["content"])
