"""How ``/v1/chat/completions`` writes its answers."""

from __future__ import annotations

import json
from typing import Any

from remora.engine.request import Delta, Usage
from remora.gateway.answer import Answer, Choice
from remora.gateway.envelope import Events, envelope, usage_body
from remora.gateway.logprobs import chat_logprobs
from remora.gateway.tool_calls import call_body, call_chunk, whole_calls


def chat_body(answer: Answer, choices: list[Choice], *, logprobs: bool) -> dict[str, Any]:
    """The whole body of an answer that is not streamed."""
    return {
        **envelope("chatcmpl", "chat.completion", answer),
        "choices": [
            {
                "index": index,
                "message": _message(choice),
                "logprobs": chat_logprobs(choice.logprobs) if logprobs else None,
                "finish_reason": choice.finish_reason,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage_body(answer.usage),
    }


def _message(choice: Choice) -> dict[str, Any]:
    message = {"role": "assistant", "content": choice.text, "refusal": None}
    if not choice.tool_calls:
        return message
    calls = [call_body(call) for call in choice.tool_calls]
    return {**message, "content": choice.text or None, "tool_calls": calls}


class ChatChunks:
    """Events of a streamed answer.

    The role comes with a choice's first text, the finish reason with its last.
    """

    def __init__(self, answer: Answer, *, logprobs: bool, include_usage: bool) -> None:
        fields = envelope("chatcmpl", "chat.completion.chunk", answer)
        self._events = Events(fields, include_usage=include_usage)
        self._logprobs = logprobs
        self._begun = bytearray(answer.choices)

    def chunk(self, delta: Delta) -> bytes:
        """One event; put together by hand, for it is what every token costs."""
        index = delta.index
        if not self._begun[index]:
            self._begun[index] = 1
            gained = f'"role": "assistant", "content": {json.dumps(delta.text)}'
        else:
            gained = f'"content": {json.dumps(delta.text)}' if delta.text else ""
        if delta.tool_calls:
            calls = json.dumps([call_chunk(call) for call in whole_calls(delta.tool_calls)])
            gained += f'{", " if gained else ""}"tool_calls": {calls}'
        logprobs = json.dumps(chat_logprobs(delta.logprobs)) if self._logprobs else "null"
        reason = f'"{delta.finish_reason}"' if delta.finish_reason else "null"
        return self._events.choice(
            f'{{"index": {index}, "delta": {{{gained}}}, '
            f'"logprobs": {logprobs}, "finish_reason": {reason}}}'
        )

    def usage(self, usage: Usage) -> bytes:
        """The event with the token counts; empty if the client did not ask for it."""
        return self._events.usage(usage)
