"""The sampling parameters that both generation endpoints take."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, JsonValue, StringConstraints

from remora.engine.request import SamplingParams
from remora.errors import RequestError
from remora.gateway.protocol.body import Body
from remora.gateway.protocol.structured import StructuredBody

MAX_STOPS = 16
MAX_LOGPROBS = 20
_INT32 = 2**31 - 1
_INT64 = 2**63 - 1

TokenId = Annotated[int, Field(ge=0, le=_INT32)]
TokenKey = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]
Stop = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Count = Annotated[int, Field(ge=1, le=_INT32)]


class StreamOptions(Body):
    """What a stream tells besides its text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None

    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"continuous_usage_stats": ()}


class SamplingBody(StructuredBody):
    """Parameters of both endpoints. Null means the default, as when left out."""

    model: str = Field(description="An id of GET /v1/models: the base model or an adapter.")
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=-1, le=_INT32, description="0 and -1 are off.")
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = Field(None, ge=-_INT64 - 1, le=_INT64)
    logit_bias: dict[TokenKey, Bias] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=MAX_STOPS)] | None = None
    stop_token_ids: Annotated[list[TokenId], Field(max_length=1024)] | None = None
    max_tokens: Count | None = None
    min_tokens: int | None = Field(None, ge=0, le=_INT32)
    ignore_eos: bool | None = None
    n: Count | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: JsonValue = Field(None, description="Accepted; has no effect.")

    def sampling(
        self, defaults: SamplingParams, *, max_tokens: int | None, logprobs: int | None
    ) -> SamplingParams:
        """As value object; what the client left out is taken from ``defaults``."""
        given: dict[str, Any] = {
            name: value for name in _SAME_NAME if (value := getattr(self, name)) is not None
        }
        if self.top_k is not None:
            given["top_k"] = max(self.top_k, 0)
        if self.logit_bias:
            given["logit_bias"] = {int(token): bias for token, bias in self.logit_bias.items()}
        if self.stop is not None:
            given["stop"] = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if self.stop_token_ids is not None:
            given["stop_token_ids"] = tuple(self.stop_token_ids)
        if max_tokens is not None and (self.min_tokens or 0) > max_tokens:
            raise RequestError(
                f"'min_tokens' ({self.min_tokens}) exceeds the {max_tokens} tokens at most.",
                param="min_tokens",
            )
        return replace(defaults, **given, max_tokens=max_tokens, logprobs=logprobs)

    def choices(self, limit: int) -> int:
        """``n``; raises `RequestError` when it exceeds the endpoint's limit."""
        n = self.n or 1
        if n > limit:
            raise RequestError(f"'n' is {n}; this endpoint allows {limit}.", param="n")
        return n

    def wants_usage(self) -> bool:
        """Raises `RequestError` for ``stream_options`` without ``stream``, as OpenAI does."""
        if self.stream_options is None:
            return False
        if not self.stream:
            raise RequestError("'stream_options' needs 'stream': true.", param="stream_options")
        return bool(self.stream_options.include_usage)


SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
)
"""What has a default that `/v1/models` tells."""
_SAME_NAME = (*SAMPLING, "seed", "min_tokens", "ignore_eos")
_VLLM_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "use_beam_search": (),
    "length_penalty": (1.0,),
    "include_stop_str_in_output": (),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "truncate_prompt_tokens": (),
    "prompt_logprobs": (),
    "allowed_token_ids": (),
    "bad_words": (),
    "priority": (0,),
    "cache_salt": (),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
    "logits_processors": (),
    "return_tokens_as_token_ids": (),
    "return_token_ids": (),
    "add_special_tokens": (),
}
CHAT_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    **_VLLM_UNSUPPORTED,
    "functions": (),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "audio": (),
    "reasoning_effort": (),
    "verbosity": (),
    "web_search_options": (),
    "moderation": (),
    "chat_template": (),
    "documents": (),
    "echo": (),
}
COMPLETION_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    **_VLLM_UNSUPPORTED,
    "add_special_tokens": (True,),
    "suffix": (),
}
