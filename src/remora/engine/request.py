"""What is asked of the engine and what it answers, free of torch and of HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from remora.errors import RequestError


class FinishReason(StrEnum):
    """Why a generation ended, in the words of the OpenAI API."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    ABORT = "abort"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen, and when to stop. The defaults change nothing.

    ``temperature`` 0 is greedy, and so is ``top_p`` 0. ``top_k`` 0 and ``min_p`` 0 are off.
    ``seed`` None draws one. ``max_tokens`` None means up to the end of the context. ``logprobs``
    None is off; N asks for the chosen token's log-probability and those of the N most likely.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    max_tokens: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False
    logprobs: int | None = None

    def __post_init__(self) -> None:
        """Raises `RequestError` for a value that no distribution can be made with."""
        for name, value, fits in (
            ("temperature", self.temperature, 0 <= self.temperature < math.inf),
            ("top_p", self.top_p, 0 <= self.top_p <= 1),
            ("top_k", self.top_k, self.top_k >= 0),
            ("min_p", self.min_p, 0 <= self.min_p <= 1),
            ("repetition_penalty", self.repetition_penalty, 0 < self.repetition_penalty < math.inf),
            ("presence_penalty", self.presence_penalty, math.isfinite(self.presence_penalty)),
            ("frequency_penalty", self.frequency_penalty, math.isfinite(self.frequency_penalty)),
            ("min_tokens", self.min_tokens, self.min_tokens >= 0),
            ("max_tokens", self.max_tokens, self.max_tokens is None or self.max_tokens >= 1),
            ("logprobs", self.logprobs, self.logprobs is None or self.logprobs >= 0),
        ):
            if not fits:
                raise RequestError(f"{name} = {value} is out of range.", param=name)


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token's natural log-probability; ``data`` are its bytes, perhaps part of a character."""

    token_id: int
    text: str
    data: bytes
    logprob: float
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """What call ``index`` of a choice gained; its first delta has the ``id`` and the ``name``."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """What choice ``index`` gained since the last delta; ``finish_reason`` marks its end.

    The engine's own deltas have no ``tool_calls``: they are read from its text.
    """

    index: int
    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of a request: all choices together, the prompt once."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
