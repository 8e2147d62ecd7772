"""A text that is read while it grows.

What is read is written as generators: they yield a piece as soon as it is certain, and None when
they need more text. So the code follows the grammar, and how the text was split can't matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

_SPACE = " \t\r\n"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Content:
    """Text of the answer itself."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegins:
    """A call of this function begins; what comes next are its arguments."""

    name: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A part of the arguments' JSON, of the call that began last."""

    text: str


Piece = Content | CallBegins | Arguments
Reading = Generator[Piece | None, None, T]


class Reader:
    """What has come of a text, and how far it has been read."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._mark: int | None = None
        self._ended = False

    def feed(self, text: str) -> None:
        """Append more text."""
        start = self._at if self._mark is None else self._mark
        self._text = self._text[start:] + text
        self._at -= start
        if self._mark is not None:
            self._mark = 0

    def end(self) -> None:
        """No more text comes."""
        self._ended = True

    def mark(self) -> None:
        """Keep what is read from here on."""
        self._mark = self._at

    def since_mark(self) -> str:
        """What has been read since the mark, which ends."""
        start, self._mark = self._mark, None
        assert start is not None, "nothing is marked"
        return self._text[start : self._at]

    def look(self, count: int = 1) -> Reading[str]:
        """The next characters, fewer only at the end; they stay unread."""
        while len(self._text) - self._at < count and not self._ended:
            yield None
        return self._text[self._at : self._at + count]

    def accept(self, text: str) -> Reading[bool]:
        """Read exactly this text, or nothing."""
        for count in range(1, len(text) + 1):
            if (yield from self.look(count)) != text[:count]:
                return False
        self._at += len(text)
        return True

    def skip_space(self) -> Reading[None]:
        """Read whitespace."""
        while (char := (yield from self.look())) and char in _SPACE:
            self._at += 1

    def content_until(self, marker: str) -> Reading[str | None]:
        """Yield all that comes before a marker, and read that, too.

        Returns the whitespace before the marker, which is not yielded; None if it did not come.
        """
        while True:
            place = self._text.find(marker, self._at)
            if place >= 0:
                before = self._text[self._at : place]
                self._at = place + len(marker)
                if text := before.rstrip(_SPACE):
                    yield Content(text)
                return before[len(text) :]
            if self._ended:
                yield from self.rest()
                return None
            end = len(self._text) - _overlap(self._text[self._at :], marker)
            if text := self._text[self._at : end].rstrip(_SPACE):
                self._at += len(text)
                yield Content(text)
            yield None

    def skip_past(self, marker: str) -> Reading[None]:
        """Read all up to a marker, and the marker."""
        while (place := self._text.find(marker, self._at)) < 0 and not self._ended:
            self._at = len(self._text) - _overlap(self._text[self._at :], marker)
            yield None
        self._at = len(self._text) if place < 0 else place + len(marker)

    def rest(self) -> Reading[None]:
        """Yield all that is still to come."""
        while True:
            text, self._at = self._text[self._at :], len(self._text)
            if text:
                yield Content(text)
            if self._ended:
                return
            yield None

    def word(self) -> Reading[str]:
        """Read a function's name; empty if there is none."""
        letters: list[str] = []
        while (char := (yield from self.look())) and (char.isalnum() or char in "_.-"):
            self._at += 1
            letters.append(char)
        return "".join(letters)

    def until(self, marker: str, wrap: Callable[[str], Piece] | None = None) -> Reading[str | None]:
        """Read all up to a marker, and the marker, with a line break before it.

        Yields what came before in pieces if they are wanted; returns it, or None if the marker
        did not come.
        """
        pieces: list[str] = []
        while True:
            place = self._text.find(marker, self._at)
            rest = self._text[self._at :]
            if place >= 0:
                end = place - (self._text[self._at : place].endswith("\n"))
            elif self._ended:
                end = len(self._text)
            else:
                end = len(self._text) - max(_overlap(rest, marker), _overlap(rest, "\n" + marker))
            if piece := self._text[self._at : end]:
                pieces.append(piece)
                if wrap is not None:
                    yield wrap(piece)
            self._at = end if place < 0 else place + len(marker)
            if place >= 0:
                return "".join(pieces)
            if self._ended:
                return None
            yield None

    def string(self) -> Reading[str | None]:
        """Read a JSON string; None if there is none, or if it has no end."""
        if (yield from self.look()) != '"':
            return None
        raw = yield from self.value()
        try:
            text: str = json.loads(raw, strict=False)
        except ValueError:
            return None
        return text

    def value(self, wrap: Callable[[str], Piece] | None = None) -> Reading[str]:
        """Read a JSON value up to its end, or the text's; yields it in pieces if they are wanted.

        It is followed by its brackets and quotes alone, not checked.
        """
        pieces: list[str] = []
        depth = 0
        quoted = escaped = done = False
        while True:
            start = self._at
            while self._at < len(self._text) and not done:
                char = self._text[self._at]
                if depth == 0 and not quoted and char in ",]}" + _SPACE:
                    done = True  # The end of a number or a word, which is not part of it.
                    break
                self._at += 1
                if quoted:
                    quoted = escaped or char != '"'
                    escaped = char == "\\" and not escaped
                else:
                    quoted = char == '"'
                    depth += (char in "{[") - (char in "}]")
                done = depth == 0 and not quoted and char in '"}]'
            if piece := self._text[start : self._at]:
                pieces.append(piece)
                if wrap is not None:
                    yield wrap(piece)
            if done or self._ended:
                return "".join(pieces)
            yield None


def _overlap(text: str, marker: str) -> int:
    """The length of the longest end of the text that begins the marker."""
    longest = min(len(text), len(marker) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(marker[:n])), 0)
