"""One answer of one model while it arrives, and what it took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from remora.client.answers import Chunk
from remora.client.async_endpoint import AsyncEndpoint
from remora.errors import EndpointError
from remora.ui.words import in_words

RETRY_EVERY = 1.0  # s
PATIENCE = 30 * 60.0  # s that an endpoint may take to wake


@dataclass(slots=True)
class Answer:
    """What ``model`` has said so far. Times are `time.monotonic`; ``problem`` is for a person."""

    model: str
    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    begun: float = 0.0
    first: float | None = None
    ended: float | None = None
    problem: str | None = None
    waiting_for: str | None = None

    @property
    def latency(self) -> float | None:
        """Seconds from the request to the end of the answer."""
        return None if self.ended is None else self.ended - self.begun

    @property
    def speed(self) -> float | None:
        """Tokens a second after the first one."""
        tokens = self.completion_tokens
        if self.first is None or self.ended is None or not tokens or tokens < 2:
            return None
        return (tokens - 1) / max(self.ended - self.first, 1e-6)

    def figures(self) -> str:
        """Counts and speed in one line; empty while there are none."""
        parts = []
        if self.completion_tokens is not None:
            parts.append(f"{self.completion_tokens} tokens")
        if self.speed is not None:
            parts.append(f"{self.speed:.1f} tokens/s")
        if self.first is not None:
            parts.append(f"first after {self.first - self.begun:.2f} s")
        if self.prompt_tokens is not None:
            parts.append(f"prompt of {self.prompt_tokens}")
        endings = {"length": "cut off by the limit of tokens", "stopped": "stopped"}
        if self.finish_reason in endings:
            parts.append(endings[self.finish_reason])
        return " · ".join(parts)

    def waited(self) -> str:
        """What is waited for, and how long that has taken; empty while tokens come."""
        if self.waiting_for is None:
            return ""
        return f"{self.waiting_for} {time.monotonic() - self.begun:.0f} s"

    def take(self, chunk: Chunk) -> None:
        """Add what has arrived."""
        self.waiting_for = None
        if chunk.text and self.first is None:
            self.first = time.monotonic()
        self.text += chunk.text
        self.finish_reason = chunk.finish_reason or self.finish_reason
        if chunk.usage:
            self.prompt_tokens = chunk.usage.get("prompt_tokens")
            self.completion_tokens = chunk.usage.get("completion_tokens")


async def fill(
    answer: Answer,
    endpoint: AsyncEndpoint,
    messages: Sequence[Mapping[str, str]],
    parameters: Mapping[str, Any],
) -> None:
    """Ask, and let ``answer`` grow to its end; failures end in it, and raise nothing.

    An endpoint that wakes, loads or restarts is asked again until it answers. When this is
    cancelled the request is closed, which ends the generation on the server.
    """
    answer.begun = time.monotonic()
    try:
        while True:
            try:
                async with aclosing(endpoint.chat(answer.model, messages, parameters)) as chunks:
                    async for chunk in chunks:
                        answer.take(chunk)
                return
            except EndpointError as error:
                patience = time.monotonic() - answer.begun < PATIENCE
                if answer.text or not patience or not (error.unreachable or error.status == 503):
                    answer.problem = in_words(error)
                    return
                answer.waiting_for = await _reason(endpoint, error)
            await asyncio.sleep(RETRY_EVERY)
    except asyncio.CancelledError:
        answer.finish_reason = "stopped"
        raise
    finally:
        answer.ended = time.monotonic()
        answer.waiting_for = None


async def _reason(endpoint: AsyncEndpoint, error: EndpointError) -> str:
    if error.unreachable:
        return "The endpoint does not answer yet; trying again."
    try:
        readiness = await endpoint.readiness()
    except EndpointError:
        return "The endpoint is waking."
    detail = f" {readiness.detail}" if readiness.detail else ""
    return f"The model is loading.{detail}"
