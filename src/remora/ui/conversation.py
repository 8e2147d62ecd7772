"""A conversation: what was said, as messages for the endpoint and as a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from remora.ui.answer import Answer


@dataclass(slots=True)
class Exchange:
    """A question and its answer."""

    question: str
    answer: Answer


@dataclass(slots=True)
class Conversation:
    """Exchanges in their order. ``editing`` is the one whose question is being rewritten."""

    exchanges: list[Exchange] = field(default_factory=list)
    editing: int | None = None

    def messages(self, system: str, before: int | None = None) -> list[dict[str, str]]:
        """The chat so far; with ``before``, up to and with the question of that exchange."""
        said = [{"role": "system", "content": system}] if system.strip() else []
        shown = self.exchanges if before is None else self.exchanges[: before + 1]
        for number, exchange in enumerate(shown):
            said.append({"role": "user", "content": exchange.question})
            if number != before and exchange.answer.text:
                said.append({"role": "assistant", "content": exchange.answer.text})
        return said

    def jsonl(self, system: str) -> str:
        """The conversation as one line of a chat data set; empty without an exchange."""
        if not self.exchanges:
            return ""
        return json.dumps({"messages": self.messages(system)}, ensure_ascii=False) + "\n"
