"""How ``/v1/chat/completions`` writes its answers."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from remora.engine.request import Delta, Usage
from remora.gateway.answer import Answer, Choice
from remora.gateway.logprobs import chat_logprobs


def usage_body(usage: Usage) -> dict[str, Any]:
    """``usage`` of both endpoints."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def chat_body(answer: Answer, choices: list[Choice], *, logprobs: bool) -> dict[str, Any]:
    """The whole body of an answer that is not streamed."""
    return {
        "id": _new_id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer.model,
        "system_fingerprint": answer.fingerprint,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": choice.text, "refusal": None},
                "logprobs": chat_logprobs(choice.logprobs) if logprobs else None,
                "finish_reason": choice.finish_reason,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage_body(answer.usage),
    }


class ChatChunks:
    """Events of a streamed answer, put together from parts that are encoded once.

    The role comes with a choice's first text, the finish reason with its last.
    """

    def __init__(self, answer: Answer, *, logprobs: bool, include_usage: bool) -> None:
        fields = {
            "id": _new_id(),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": answer.model,
            "system_fingerprint": answer.fingerprint,
        }
        self._head = "data: " + json.dumps(fields)[:-1] + ', "choices": ['
        self._tail = '}], "usage": null}\n\n' if include_usage else "}]}\n\n"
        self._logprobs = logprobs
        self._include_usage = include_usage
        self._begun = bytearray(answer.choices)

    def chunk(self, delta: Delta) -> bytes:
        index = delta.index
        if not self._begun[index]:
            self._begun[index] = 1
            gained = f'"role": "assistant", "content": {json.dumps(delta.text)}'
        else:
            gained = f'"content": {json.dumps(delta.text)}' if delta.text else ""
        logprobs = json.dumps(chat_logprobs(delta.logprobs)) if self._logprobs else "null"
        reason = f'"{delta.finish_reason}"' if delta.finish_reason else "null"
        return (
            f'{self._head}{{"index": {index}, "delta": {{{gained}}}, '
            f'"logprobs": {logprobs}, "finish_reason": {reason}{self._tail}'
        ).encode()

    def usage(self, usage: Usage) -> bytes:
        if not self._include_usage:
            return b""
        return f'{self._head}], "usage": {json.dumps(usage_body(usage))}}}\n\n'.encode()


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"
