"""A row of a comparison, and the votes on all rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from remora.errors import ConfigError
from remora.ui.answer import Answer

VERDICTS = ("better", "same", "worse")
MOST = 4  # models


def check_asked(prompt: str, names: Sequence[str]) -> None:
    """Raises `ConfigError` for what can't be compared."""
    if not 2 <= len(names) <= MOST:
        raise ConfigError(f"Choose two to four models, not {len(names)}.")
    if not prompt.strip():
        raise ConfigError("Write a prompt.")


@dataclass(slots=True)
class Comparison:
    """One prompt and its answers. ``best`` is an answer's number, -1 for none, None until the
    vote. While ``blind``, a model's name is hidden until then."""

    prompt: str = ""
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    blind: bool = False
    digests: Mapping[str, str | None] = field(default_factory=dict)
    best: int | None = None

    def title(self, number: int) -> str:
        """What a column is called: its letter alone while that is all that may be known."""
        letter = "ABCD"[number]
        if self.blind and self.best is None:
            return letter
        return (
            f"{letter} · {self.answers[number].model}" if self.blind else self.answers[number].model
        )

    def verdict(self, number: int) -> str:
        """How an answer did: better, same or worse."""
        if self.best == -1:
            return "same"
        return "better" if self.best == number else "worse"

    def jsonl(self) -> str:
        """The row and its vote as a line of a file."""
        answers = [
            {
                "model": answer.model,
                "digest": self.digests.get(answer.model),
                "text": answer.text,
                "vote": self.verdict(number),
            }
            for number, answer in enumerate(self.answers)
        ]
        row = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "prompt": self.prompt,
            "system": self.system or None,
            "parameters": dict(self.parameters),
            "blind": self.blind,
            "answers": answers,
        }
        return json.dumps(row, ensure_ascii=False) + "\n"


@dataclass(slots=True)
class Votes:
    """How often each model was better, the same or worse."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, row: Comparison) -> None:
        """Count a row that has its vote."""
        for number, answer in enumerate(row.answers):
            self.counts.setdefault(answer.model, Counter())[row.verdict(number)] += 1
