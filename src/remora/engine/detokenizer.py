"""Tokens to text as they come: whole characters only, and nothing of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Sequence

from remora.engine.tokenizer import Tokenizer


class Detokenizer:
    """The text of one generation.

    A token may end in the middle of a character: its bytes wait until the character is whole. Text
    that may be the beginning of a stop string is held back until it is known not to be. Special
    tokens are no text, but for those that are ``shown``.
    """

    def __init__(
        self, tokenizer: Tokenizer, stop: Sequence[str], shown: Collection[int] = ()
    ) -> None:
        self.tokenizer = tokenizer
        self._shown = shown
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = [text for text in stop if text]
        self._held = ""

    def push(self, token: int, *, may_stop: bool = True) -> tuple[str, bool]:
        """The text that one more token makes certain, and whether a stop string has ended it."""
        if token in self._shown or not self.tokenizer.is_special(token):
            self._held += self._characters.decode(self.tokenizer.token_bytes(token))
        if not self._stop or not may_stop:
            return self._take(len(self._held)), False
        found = [place for stop in self._stop if (place := self._held.find(stop)) >= 0]
        if found:
            text = self._held[: min(found)]
            self._held = ""
            return text, True
        held_back = max(_overlap(self._held, stop) for stop in self._stop)
        return self._take(len(self._held) - held_back), False

    def flush(self) -> str:
        """What was held back for a stop string that did not come."""
        return self._take(len(self._held))

    def _take(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        return text


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of the text that begins the stop string."""
    return next(
        (n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0
    )
