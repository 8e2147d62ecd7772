"""The bodies of ``/tokenize`` and ``/detokenize``, in vLLM's shapes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from remora.backends.backend import ChatRequest
from remora.errors import RequestError
from remora.gateway.protocol.body import Body
from remora.gateway.protocol.chat import Messages, TemplateBody, check_length, template_arguments
from remora.gateway.protocol.sampling import TokenId
from remora.gateway.protocol.tools import ToolsBody


class TokenizeBody(TemplateBody, ToolsBody):
    """Either a text in ``prompt``, or a chat in ``messages``."""

    model: str
    prompt: str | None = None
    messages: Messages | None = None
    add_special_tokens: bool | None = Field(
        None, description="True by default for a prompt; chat templates write their own."
    )
    return_token_strs: bool | None = Field(None, description="Accepted; they are always given.")

    def text(self, max_prompt_chars: int | None) -> str | None:
        """The prompt, or None when it is a chat; raises `RequestError` unless it is just one."""
        if (self.prompt is None) == (self.messages is None):
            raise RequestError("Give either 'prompt' or 'messages'.", param="prompt")
        if self.prompt is not None:
            if self.tools:
                raise RequestError("'tools' are for 'messages', not for a 'prompt'.", param="tools")
            check_length(len(self.prompt), max_prompt_chars, "prompt")
        elif self.add_special_tokens:
            raise RequestError(
                "'add_special_tokens' is not supported with 'messages': the template adds them.",
                param="add_special_tokens",
                code="unsupported_parameter",
            )
        return self.prompt

    def chat(self, max_prompt_chars: int | None) -> ChatRequest:
        arguments: dict[str, Any] = template_arguments(self, self.messages or [], max_prompt_chars)
        return ChatRequest(model=self.model, tools=self.tools_asked(), **arguments)


class DetokenizeBody(Body):
    """Token ids to turn into text."""

    model: str
    tokens: Annotated[list[TokenId], Field(fail_fast=True)]
