"""Requests as token ids, within what the model can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remora.backends.backend import ChatRequest
from remora.backends.tool_calls import with_names, with_objects
from remora.engine.request import SamplingParams
from remora.errors import PromptTooLong, RequestError
from remora.tools.format import ToolFormat
from remora.tools.recognise import format_of

if TYPE_CHECKING:
    from remora.engine.chat_template import ChatTemplate
    from remora.engine.tokenizer import Tokenizer


def chat_prompt(tokenizer: Tokenizer, request: ChatRequest) -> list[int]:
    """A chat's token ids; raises `RequestError` if the template refuses the messages."""
    text = _render(_template(tokenizer, request.model), request)
    if request.continue_final_message:
        text = _up_to_final_message(text, request.messages)
    return tokenizer.encode(text, add_special_tokens=False)


def tool_format(tokenizer: Tokenizer, model: str) -> ToolFormat:
    """How a model writes its calls; raises `RequestError` if it is not known to make any."""
    template = _template(tokenizer, model)
    if not template.takes_tools:
        raise RequestError(
            f"The chat template of {model!r} knows no tools.",
            param="tools",
            hint="Leave 'tools' out, or serve a model that was trained to call them.",
        )
    found = format_of(template.source)
    if found is None:
        raise RequestError(
            f"The model {model!r} writes its calls in a format that this endpoint can't read.",
            param="tools",
            hint="It reads those of Hermes, Qwen, Llama 3.1 to 3.3, and Mistral.",
        )
    return found


def _template(tokenizer: Tokenizer, model: str) -> ChatTemplate:
    if tokenizer.template is None:
        raise RequestError(
            f"The model {model!r} has no chat template.",
            param="messages",
            hint="Use /v1/completions, or put a chat_template.jinja into the model's folder.",
        )
    return tokenizer.template


def _render(template: ChatTemplate, request: ChatRequest) -> str:
    def render(messages: Sequence[Mapping[str, Any]]) -> str:
        return template.render(
            messages,
            add_generation_prompt=request.add_generation_prompt
            and not request.continue_final_message,
            variables=request.template_variables,
            tools=None if request.tools is None else request.tools.definitions,
        )

    messages = with_names(request.messages)
    parsed = with_objects(messages)
    try:
        return render(parsed)
    except RequestError as refused:
        if parsed == messages:
            raise
        # A few templates put a call together as text, and want its arguments as text.
        try:
            return render(messages)
        except RequestError:
            raise refused from None


def max_length(prompt: int, params: SamplingParams, context: int, param: str) -> int:
    """The most tokens that a prompt and its answer may have together.

    Raises `PromptTooLong`, or `RequestError` for a prompt of no tokens, naming ``param``.
    """
    if prompt == 0:
        raise RequestError("The prompt holds no tokens.", param=param)
    if prompt >= context:
        raise PromptTooLong(
            f"The prompt has {prompt} tokens; this model's context is {context}.", param=param
        )
    if params.max_tokens is None:
        return context
    if prompt + params.max_tokens > context:
        raise PromptTooLong(
            f"The prompt has {prompt} tokens and max_tokens is {params.max_tokens}; "
            f"together they exceed this model's context of {context}.",
            param="max_tokens",
        )
    return prompt + params.max_tokens


def check_ids(ids: Sequence[int] | Mapping[int, float], vocab: int, param: str) -> None:
    """Raise `RequestError`, naming ``param``, unless all are ids of the vocabulary."""
    for token in ids:
        if not 0 <= token < vocab:
            raise RequestError(
                f"{token} is not a token id; they go from 0 to {vocab - 1}.", param=param
            )


def _up_to_final_message(text: str, messages: Sequence[Mapping[str, object]]) -> str:
    """Cut a rendered prompt behind the last message, so that the model goes on with it."""
    content = messages[-1].get("content") if messages else None
    if not isinstance(content, str) or not (final := content.strip()) or final not in text:
        raise RequestError("The final message can't be continued.", param="continue_final_message")
    return text[: text.rindex(final) + len(final)]
