"""A data set of prompts: JSONL or CSV, with or without the answers that are expected."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remora.errors import ConfigError

PROMPTS = ("prompt", "question", "instruction", "input", "text")
EXPECTED = ("expected", "completion", "response", "answer", "output", "target")
LIMIT = 5000  # rows


@dataclass(frozen=True, slots=True)
class Row:
    """Messages to answer, and what the answer should be, if the file says it."""

    messages: tuple[Mapping[str, str], ...]
    expected: str | None = None

    @property
    def prompt(self) -> str:
        """The last question."""
        return self.messages[-1]["content"]


def read_prompts(path: Path) -> list[Row]:
    """The rows of a file; raises `ConfigError` that names the line which can't be understood."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} can't be read as UTF-8 text: {error}") from error
    records = _csv(text) if path.suffix.lower() == ".csv" else _jsonl(text)
    rows = [_row(record, number) for number, record in records]
    if not rows:
        raise ConfigError(f"{path.name} has no prompts")
    if len(rows) > LIMIT:
        raise ConfigError(f"{path.name} has {len(rows)} prompts", hint=f"At most {LIMIT} are run.")
    return rows


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for record in reader:
            yield reader.line_num, {(key or "").strip().lower(): v for key, v in record.items()}
    except csv.Error as error:
        raise ConfigError(f"Line {reader.line_num} is not CSV: {error}") from error


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise ConfigError(f"Line {number} is not JSON: {error}") from error


def _row(record: Any, number: int) -> Row:
    if isinstance(record, str):
        record = {"prompt": record}
    if not isinstance(record, dict):
        raise ConfigError(f"Line {number} is neither an object nor a text")
    if "messages" in record:
        return _chat(record["messages"], number)
    prompt = next((key for key in PROMPTS if isinstance(record.get(key), str)), None)
    if prompt is None or not record[prompt].strip():
        raise ConfigError(
            f"Line {number} has no prompt",
            hint=f"It is looked for under {', '.join(PROMPTS)}, or as 'messages'.",
        )
    text = record[prompt]
    if prompt == "instruction" and isinstance(record.get("input"), str) and record["input"].strip():
        text = f"{text}\n\n{record['input']}"
    expected = next((record[key] for key in EXPECTED if isinstance(record.get(key), str)), None)
    system = record.get("system")
    first = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
    return Row((*first, {"role": "user", "content": text}), expected)


def _chat(messages: Any, number: int) -> Row:
    try:
        said = [{"role": str(m["role"]), "content": str(m["content"])} for m in messages]
    except (TypeError, KeyError) as error:
        raise ConfigError(f"Line {number}: 'messages' are not role and content") from error
    expected = said.pop()["content"] if said and said[-1]["role"] == "assistant" else None
    if not said or said[-1]["role"] != "user":
        raise ConfigError(f"Line {number}: 'messages' have no question of the user at their end")
    return Row(tuple(said), expected)
