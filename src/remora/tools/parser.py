"""Takes an answer apart as it comes: text here, calls there."""

from __future__ import annotations

import secrets
import string

from remora.engine.request import ToolCallDelta
from remora.tools.format import ToolFormat
from remora.tools.reader import Arguments, CallBegins, Content, Reader
from remora.tools.tools import Tools

# Mistral's templates demand just nine letters and digits; others take any id.
_ID_LENGTH = 9
_ID_LETTERS = string.ascii_letters + string.digits


class ToolParser:
    """One answer. Where calls may not be parallel, those after the first are left out."""

    def __init__(self, tool_format: ToolFormat, tools: Tools) -> None:
        self._reader = Reader()
        self._pieces = tool_format.read(self._reader, tools)
        self._most = None if tools.parallel else 1
        self._calls = 0

    @property
    def has_called(self) -> bool:
        return self._calls > 0

    def push(self, text: str) -> tuple[str, tuple[ToolCallDelta, ...]]:
        """What more text makes certain: of the content, and of the calls."""
        self._reader.feed(text)
        return self._read()

    def finish(self) -> tuple[str, tuple[ToolCallDelta, ...]]:
        """What the text's end makes certain."""
        self._reader.end()
        return self._read()

    def _read(self) -> tuple[str, tuple[ToolCallDelta, ...]]:
        content: list[str] = []
        calls: list[ToolCallDelta] = []
        for piece in self._pieces:
            match piece:
                case None:
                    break
                case Content(text):
                    content.append(text)
                case CallBegins(name):
                    self._calls += 1
                    calls.append(ToolCallDelta(self._calls - 1, _new_id(), name))
                case Arguments(text):
                    calls.append(ToolCallDelta(self._calls - 1, arguments=text))
        kept = calls if self._most is None else [c for c in calls if c.index < self._most]
        return "".join(content), tuple(kept)


def _new_id() -> str:
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
