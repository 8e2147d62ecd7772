"""What a format of tool calls consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remora.grammar.expression import Expression
from remora.tools.reader import Reader, Reading
from remora.tools.tools import Tools


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """How a family of models writes its calls.

    ``read`` yields the pieces of an answer. ``calls`` is an answer that calls, ``answers`` one
    that calls or not. ``markers`` must be seen in the text, even where the tokenizer has them as
    special tokens.
    """

    name: str
    markers: tuple[str, ...]
    read: Callable[[Reader, Tools], Reading[None]]
    calls: Callable[[Tools], Expression]
    answers: Callable[[Tools], Expression]
