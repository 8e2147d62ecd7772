"""The body of ``/v1/completions``."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from remora.backends.backend import CompletionRequest
from remora.engine.request import SamplingParams
from remora.errors import RequestError
from remora.gateway.protocol.chat import check_length
from remora.gateway.protocol.sampling import (
    COMPLETION_UNSUPPORTED,
    MAX_LOGPROBS,
    Count,
    SamplingBody,
    TokenId,
)

DEFAULT_MAX_TOKENS = 16  # of the OpenAI API

# fail_fast: a prompt of 100,000 ids must not collect 100,000 errors as "not a text".
Ids = Annotated[list[TokenId], Field(min_length=1, fail_fast=True)]
Texts = Annotated[list[str], Field(min_length=1, fail_fast=True)]
IdLists = Annotated[list[Ids], Field(min_length=1, fail_fast=True)]


class CompletionBody(SamplingBody):
    """A text, or a list of token ids, to go on from; or several."""

    prompt: str | Texts | Ids | IdLists
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=MAX_LOGPROBS)
    best_of: Count | None = Field(None, description="Only as large as n.")

    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = COMPLETION_UNSUPPORTED

    def prompts(self) -> list[str | list[int]]:
        """Always a list: one entry for each prompt."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return [prompt]
        if isinstance(prompt[0], int):
            return [prompt]
        return list(prompt)

    def requests(
        self,
        defaults: SamplingParams,
        *,
        max_n: int,
        max_prompts: int,
        max_prompt_chars: int | None,
    ) -> list[CompletionRequest]:
        """One value object for each prompt; raises `RequestError` for what can't be done."""
        n = self.choices(max_n)
        if self.best_of is not None and self.best_of != n:
            raise RequestError(
                "'best_of' is not supported unless it equals 'n'.",
                param="best_of",
                code="unsupported_parameter",
            )
        if self.echo and self.logprobs is not None:
            raise RequestError(
                "'logprobs' of the prompt are not supported; leave out 'echo' or 'logprobs'.",
                param="logprobs",
                code="unsupported_parameter",
            )
        prompts = self.prompts()
        if len(prompts) > max_prompts:
            raise RequestError(
                f"'prompt' has {len(prompts)} entries; this endpoint allows {max_prompts}.",
                param="prompt",
            )
        for prompt in prompts:
            if isinstance(prompt, str):
                check_length(len(prompt), max_prompt_chars, "prompt")
        sampling = self.sampling(
            defaults,
            max_tokens=DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens,
            logprobs=self.logprobs,
        )
        constraint = self.constraint()
        return [
            CompletionRequest(self.model, prompt, sampling, n, constraint) for prompt in prompts
        ]
