"""How ``/v1/completions`` writes its answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from remora.engine.request import Delta, Usage
from remora.gateway.answer import Answer, Choice
from remora.gateway.envelope import Events, envelope, usage_body
from remora.gateway.logprobs import CompletionLogprobs


def completion_body(
    answer: Answer, choices: list[Choice], echoes: Sequence[str], *, logprobs: bool
) -> dict[str, Any]:
    """The whole body of an answer that is not streamed; ``echoes`` has a text for each choice."""
    return {
        **envelope("cmpl", "text_completion", answer),
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
    """Events of a streamed answer; an echo comes with its choice's first text."""

    def __init__(
        self, answer: Answer, echoes: Sequence[str], *, logprobs: bool, include_usage: bool
    ) -> None:
        fields = envelope("cmpl", "text_completion", answer)
        self._events = Events(fields, include_usage=include_usage)
        self._echoes = list(echoes)
        self._logprobs = [CompletionLogprobs() for _ in echoes] if logprobs else None

    def chunk(self, delta: Delta) -> bytes:
        """One event; put together by hand, for it is what every token costs."""
        index = delta.index
        text = delta.text
        if echo := self._echoes[index]:
            self._echoes[index] = ""
            text = echo + text
        logprobs = (
            json.dumps(self._logprobs[index].render(delta.logprobs)) if self._logprobs else "null"
        )
        reason = f'"{delta.finish_reason}"' if delta.finish_reason else "null"
        return self._events.choice(
            f'{{"index": {index}, "text": {json.dumps(text)}, '
            f'"logprobs": {logprobs}, "finish_reason": {reason}}}'
        )

    def usage(self, usage: Usage) -> bytes:
        """The event with the token counts; empty if the client did not ask for it."""
        return self._events.usage(usage)
