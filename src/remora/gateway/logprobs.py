"""Log-probabilities in the shapes of the two endpoints."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable
from typing import Any

from remora.engine.request import TokenLogprob

_FLOOR = -9999.0  # what OpenAI writes for a probability of zero; JSON has no -Infinity


def chat_logprobs(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    """``choices[].logprobs`` of a chat completion."""
    return {
        "content": [
            {**_entry(token), "top_logprobs": [_entry(other) for other in token.top]}
            for token in tokens
        ],
        "refusal": None,
    }


class CompletionLogprobs:
    """``choices[].logprobs`` of a completion; counts the characters of one choice's stream.

    ``text_offset`` is where a token's text begins in the choice's text. A character that is split
    over tokens counts where its last byte arrives.
    """

    def __init__(self) -> None:
        self._offset = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def render(self, tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
        texts: list[str] = []
        values: list[float] = []
        tops: list[dict[str, float]] = []
        offsets: list[int] = []
        for token in tokens:
            texts.append(_text(token))
            values.append(_finite(token.logprob))
            tops.append({_text(other): _finite(other.logprob) for other in token.top})
            offsets.append(self._offset)
            self._offset += len(self._decode(token.data))
        return {
            "tokens": texts,
            "token_logprobs": values,
            "top_logprobs": tops,
            "text_offset": offsets,
        }


def _entry(token: TokenLogprob) -> dict[str, Any]:
    return {
        "token": _text(token),
        "logprob": _finite(token.logprob),
        "bytes": list(token.data),
    }


def _text(token: TokenLogprob) -> str:
    """The token's text; OpenAI's ``bytes:\\x..`` for a part of a character."""
    try:
        token.data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.data)
    return token.text


def _finite(logprob: float) -> float:
    return logprob if math.isfinite(logprob) else _FLOOR
