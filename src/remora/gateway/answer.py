"""The generations of one HTTP request, seen as one: several prompts count their choices through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from remora.backends.backend import Backend, Generation
from remora.engine.request import Delta, FinishReason, TokenLogprob, ToolCallDelta, Usage
from remora.errors import EngineFailure, NotReady
from remora.gateway.context import Gateway
from remora.gateway.tool_calls import whole_calls

if TYPE_CHECKING:
    from remora.gateway.exchange import Exchange

Admission = Callable[[], Coroutine[Any, Any, Generation]]


@dataclass(slots=True)
class Choice:
    """All that one choice has said."""

    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()


class Answer:
    """Admitted generations, ``n`` choices each. Iterate `deltas`, then `close`."""

    def __init__(
        self,
        gateway: Gateway[Backend],
        exchange: Exchange,
        generations: Sequence[Generation],
        n: int,
    ) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._generations = generations
        self._n = n
        self.model = generations[0].model.id
        self.fingerprint = generations[0].fingerprint
        self.choices = n * len(generations)
        exchange.model = self.model
        exchange.label = gateway.metrics.label(self.model)
        gateway.answers.add(self)

    @property
    def usage(self) -> Usage:
        if len(self._generations) == 1:
            return self._generations[0].usage
        usages = [generation.usage for generation in self._generations]
        return Usage(
            sum(usage.prompt_tokens for usage in usages),
            sum(usage.completion_tokens for usage in usages),
            sum(usage.cached_tokens for usage in usages),
        )

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Deltas of all choices as they arrive.

        Raises `EngineFailure` if one breaks, and `NotReady` if a shutdown cuts them off.
        """
        meter = self._gateway.metrics.meter(self._exchange)
        unfinished = self.choices
        single = len(self._generations) == 1
        source = self._generations[0].deltas() if single else self._merged()
        async for delta in source:
            if delta.finish_reason is FinishReason.ERROR:
                raise EngineFailure("The engine broke while it answered.")
            if delta.finish_reason is not None:
                unfinished -= 1
            meter.arrived(len(delta.token_ids))
            yield delta
        if unfinished and self._gateway.draining:
            raise NotReady("The server shut down before the answer's end.", retry_after=5)
        if unfinished:
            raise EngineFailure("The engine ended the answer before its end.")

    async def collect(self) -> list[Choice]:
        """All choices, complete; frees the generations. Raises `TimeoutError` past the limit."""
        texts: list[list[str]] = [[] for _ in range(self.choices)]
        logprobs: list[list[TokenLogprob]] = [[] for _ in range(self.choices)]
        reasons: list[FinishReason | None] = [None] * self.choices
        calls: list[list[ToolCallDelta]] = [[] for _ in range(self.choices)]
        try:
            async with asyncio.timeout(self._gateway.settings.request_timeout):
                async for delta in self.deltas():
                    texts[delta.index].append(delta.text)
                    logprobs[delta.index].extend(delta.logprobs)
                    calls[delta.index].extend(delta.tool_calls)
                    reasons[delta.index] = delta.finish_reason or reasons[delta.index]
        finally:
            self.close()
        return [
            Choice("".join(text), tuple(logs), reason, whole_calls(pieces))
            for text, logs, reason, pieces in zip(texts, logprobs, reasons, calls, strict=True)
        ]

    def cancel(self) -> None:
        """Stop generating; harmless after the end."""
        for generation in self._generations:
            generation.cancel()

    def close(self) -> None:
        """Free what is still running, and note what was used."""
        self.cancel()
        self._exchange.usage = self.usage
        self._gateway.answers.discard(self)

    async def _merged(self) -> AsyncIterator[Delta]:
        """Deltas of several generations; each holds back at most one for a slow reader."""
        sources = [generation.deltas() for generation in self._generations]
        tasks = {asyncio.ensure_future(_next(source)): i for i, source in enumerate(sources)}
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    i = tasks.pop(task)
                    delta = task.result()
                    if delta is None:
                        continue
                    yield replace(delta, index=i * self._n + delta.index)
                    tasks[asyncio.ensure_future(_next(sources[i]))] = i
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _next(source: AsyncIterator[Delta]) -> Delta | None:
    return await anext(source, None)


async def admit(
    gateway: Gateway[Backend], exchange: Exchange, admissions: Sequence[Admission], n: int
) -> Answer:
    """Admit all, or none: when one is refused, those before it are cancelled."""
    gateway.refuse_unless_ready()
    admitted: list[Generation] = []
    try:
        for admission in admissions:
            generation = await admission()
            admitted.append(generation)
    except BaseException:
        for generation in admitted:
            generation.cancel()
        raise
    return Answer(gateway, exchange, admitted, n)
