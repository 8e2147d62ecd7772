"""How a text differs from another, by words."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
LIMIT = 4000  # words; beyond it the comparison takes longer than reading


def marked(text: str, other: str) -> str:
    """``text`` as HTML, with the words that ``other`` lacks at that place marked."""
    own, others = _WORD.findall(text), _WORD.findall(other)
    if max(len(own), len(others)) > LIMIT:
        return escape(text)
    parts = []
    matcher = SequenceMatcher(None, others, own, autojunk=False)
    for kind, _, _, begin, end in matcher.get_opcodes():
        piece = escape("".join(own[begin:end]))
        parts.append(piece if kind == "equal" or not piece.strip() else f"<mark>{piece}</mark>")
    return "".join(parts)


def similarity(text: str, other: str) -> float:
    """How alike two texts are by their words: 1 is equal, 0 has nothing in common."""
    own, others = _WORD.findall(text.strip()), _WORD.findall(other.strip())
    if not own and not others:
        return 1.0
    return SequenceMatcher(None, others[:LIMIT], own[:LIMIT], autojunk=False).ratio()
