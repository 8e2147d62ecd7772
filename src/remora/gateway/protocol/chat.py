"""The body of ``/v1/chat/completions``."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue

from remora.backends.backend import ChatRequest
from remora.engine.request import SamplingParams
from remora.errors import PromptTooLong, RequestError
from remora.gateway.protocol.body import Body
from remora.gateway.protocol.sampling import (
    CHAT_UNSUPPORTED,
    MAX_LOGPROBS,
    Count,
    SamplingBody,
)
from remora.gateway.protocol.tools import ToolCall, ToolsBody

# Names that the template gets from the server itself.
_RESERVED = frozenset(
    {"messages", "tools", "add_generation_prompt", "continue_final_message", "tokenize"}
)


class TextPart(Body):
    """A piece of a message; pieces are joined as they are."""

    type: Literal["text"]
    text: str


class Message(Body):
    """One turn. ``developer`` is what newer clients call ``system``."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = Field(None, description="Null only beside tool calls.")
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=1024)] | None = None
    tool_call_id: str | None = None

    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {
        "function_call": (),
        "audio": (),
        "refusal": (),
        "annotations": (),
    }

    def plain(self) -> dict[str, Any]:
        """As chat templates expect it: text content, and the role names of the models."""
        content = self.content or ""
        message: dict[str, Any] = {
            "role": "system" if self.role == "developer" else self.role,
            "content": content if isinstance(content, str) else "".join(p.text for p in content),
        }
        for name in ("name", "reasoning_content", "tool_call_id"):
            if (value := getattr(self, name)) is not None:
                message[name] = value
        if self.tool_calls:
            message["tool_calls"] = [call.model_dump() for call in self.tool_calls]
        return message

    def check(self, path: str) -> None:
        """Raises `RequestError` for what the message's role must have, and may not."""
        needs = {"assistant": bool(self.tool_calls)}
        if self.content is None and not needs.get(self.role):
            raise RequestError(
                f"'{path}.content' is missing.",
                param=f"{path}.content",
                code="missing_required_parameter",
            )
        for name, role in (("tool_calls", "assistant"), ("tool_call_id", "tool")):
            if getattr(self, name) and self.role != role:
                raise RequestError(
                    f"'{path}.{name}' is for messages of the role {role}.", param=f"{path}.{name}"
                )


Messages = Annotated[list[Message], Field(min_length=1, max_length=4096)]


class TemplateBody(Body):
    """How the chat template is applied to messages."""

    add_generation_prompt: bool | None = Field(
        None, description="True unless the final message is to be continued."
    )
    continue_final_message: bool | None = None
    chat_template_kwargs: dict[str, JsonValue] | None = Field(
        None, description="Variables of the chat template, such as enable_thinking."
    )


class ChatBody(SamplingBody, TemplateBody, ToolsBody):
    """A chat to answer."""

    messages: Messages
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_LOGPROBS)
    store: JsonValue = Field(None, description="Accepted; nothing is stored.")
    metadata: JsonValue = Field(None, description="Accepted; has no effect.")
    service_tier: JsonValue = Field(None, description="Accepted; has no effect.")
    safety_identifier: JsonValue = Field(None, description="Accepted; has no effect.")
    prompt_cache_key: JsonValue = Field(None, description="Accepted; reuse is automatic.")
    prompt_cache_retention: JsonValue = Field(None, description="Accepted; has no effect.")
    prediction: JsonValue = Field(None, description="Accepted; has no effect.")

    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = CHAT_UNSUPPORTED

    def request(
        self, defaults: SamplingParams, *, max_n: int, max_prompt_chars: int | None
    ) -> ChatRequest:
        """As value object; raises `RequestError` for what contradicts itself."""
        if self.top_logprobs is not None and not self.logprobs:
            raise RequestError("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
        max_tokens = self.max_tokens
        if self.max_completion_tokens is not None:
            max_tokens = self.max_completion_tokens
        sampling = self.sampling(
            defaults,
            max_tokens=max_tokens,
            logprobs=(self.top_logprobs or 0) if self.logprobs else None,
        )
        return ChatRequest(
            model=self.model,
            sampling=sampling,
            n=self.choices(max_n),
            constraint=self.constraint(),
            tools=self.tools_asked(),
            **template_arguments(self, self.messages, max_prompt_chars),
        )


def template_arguments(
    body: TemplateBody, turns: list[Message], max_prompt_chars: int | None
) -> dict[str, Any]:
    """The parts of a `ChatRequest` that say how its prompt is made."""
    for place, turn in enumerate(turns):
        turn.check(f"messages[{place}]")
    messages = [message.plain() for message in turns]
    continued = bool(body.continue_final_message)
    if continued and body.add_generation_prompt:
        raise RequestError(
            "'continue_final_message' and 'add_generation_prompt' exclude each other.",
            param="continue_final_message",
        )
    if continued and messages[-1]["role"] != "assistant":
        raise RequestError(
            "'continue_final_message' needs a final message of the assistant.",
            param="continue_final_message",
        )
    variables = body.chat_template_kwargs or {}
    if taken := sorted(_RESERVED & variables.keys()):
        raise RequestError(
            f"'chat_template_kwargs' may not set '{taken[0]}'.",
            param=f"chat_template_kwargs.{taken[0]}",
        )
    check_length(sum(map(_length, messages)), max_prompt_chars)
    default = not continued
    return {
        "messages": messages,
        "add_generation_prompt": (
            default if body.add_generation_prompt is None else body.add_generation_prompt
        ),
        "continue_final_message": continued,
        "template_variables": variables,
    }


def _length(message: dict[str, Any]) -> int:
    calls = [call["function"] for call in message.get("tool_calls", ())]
    return len(message["content"]) + sum(len(f["name"]) + len(f["arguments"]) for f in calls)


def check_length(chars: int, limit: int | None, param: str = "messages") -> None:
    """Raises `PromptTooLong` before a text is tokenized that can't fit anyway."""
    if limit is not None and chars > limit:
        raise PromptTooLong(
            f"The prompt has {chars} characters; this endpoint allows {limit}.", param=param
        )
