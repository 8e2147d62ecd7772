"""How ``/v1/completions`` writes its answers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any

from remora.engine.request import Delta, Usage
from remora.gateway.answer import Answer, Choice
from remora.gateway.chat_format import usage_body
from remora.gateway.logprobs import CompletionLogprobs


def completion_body(
    answer: Answer, choices: list[Choice], echoes: Sequence[str], *, logprobs: bool
) -> dict[str, Any]:
    """The whole body of an answer that is not streamed; ``echoes`` has a text for each choice."""
    return {
        "id": _new_id(),
        "object": "text_completion",
        "created": int(time.time()),
        "model": answer.model,
        "system_fingerprint": answer.fingerprint,
        "choices": [
            {
                "index": index,
                "text": echo + choice.text,
                "logprobs": CompletionLogprobs().render(choice.logprobs) if logprobs else None,
                "finish_reason": choice.finish_reason,
            }
            for index, (echo, choice) in enumerate(zip(echoes, choices, strict=True))
        ],
        "usage": usage_body(answer.usage),
    }


class CompletionChunks:
    """Events of a streamed answer, put together from parts that are encoded once."""

    def __init__(
        self, answer: Answer, echoes: Sequence[str], *, logprobs: bool, include_usage: bool
    ) -> None:
        fields = {
            "id": _new_id(),
            "object": "text_completion",
            "created": int(time.time()),
            "model": answer.model,
            "system_fingerprint": answer.fingerprint,
        }
        self._head = "data: " + json.dumps(fields)[:-1] + ', "choices": ['
        self._tail = '}], "usage": null}\n\n' if include_usage else "}]}\n\n"
        self._include_usage = include_usage
        self._echoes = list(echoes)
        self._logprobs = [CompletionLogprobs() for _ in echoes] if logprobs else None

    def chunk(self, delta: Delta) -> bytes:
        index = delta.index
        text = delta.text
        if echo := self._echoes[index]:
            self._echoes[index] = ""
            text = echo + text
        logprobs = (
            json.dumps(self._logprobs[index].render(delta.logprobs)) if self._logprobs else "null"
        )
        reason = f'"{delta.finish_reason}"' if delta.finish_reason else "null"
        return (
            f'{self._head}{{"index": {index}, "text": {json.dumps(text)}, '
            f'"logprobs": {logprobs}, "finish_reason": {reason}{self._tail}'
        ).encode()

    def usage(self, usage: Usage) -> bytes:
        if not self._include_usage:
            return b""
        return f'{self._head}], "usage": {json.dumps(usage_body(usage))}}}\n\n'.encode()


def _new_id() -> str:
    return f"cmpl-{uuid.uuid4().hex}"
