"""``probe.jsonl``: what an adapter said at the end of its training, one JSON object a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from remora.errors import AdapterBroken

PROBE_FILE = "probe.jsonl"
MAX_LINES = 64
MAX_BYTES = 1_000_000

Logprob = Annotated[float, Field(le=0, allow_inf_nan=False)]


class ProbeLine(BaseModel):
    """One prompt and its answer.

    The prompt is ``prompt``, a text as it is, or ``messages`` for the chat template. The answer is
    a ``text`` or the ids of its ``tokens``; ``greedy`` says that the adapter answered so at
    temperature 0. ``logprobs`` are the natural log-probabilities of the answer's tokens.
    ``tolerance`` [nats] is how far the adapter may be off before it counts as another one.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    prompt: str | None = Field(None, min_length=1)
    messages: list[Mapping[str, Any]] | None = Field(None, min_length=1)
    text: str | None = Field(None, min_length=1)
    tokens: list[int] | None = Field(None, min_length=1)
    greedy: bool = True
    logprobs: list[Logprob] | None = None
    tolerance: float = Field(0.5, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_alternatives(self) -> ProbeLine:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either 'prompt' or 'messages'")
        if (self.text is None) == (self.tokens is None):
            raise ValueError("give either 'text' or 'tokens'")
        if not self.greedy and self.logprobs is None:
            raise ValueError("an answer that is not greedy needs 'logprobs'")
        return self


def read_probe_file(folder: Path) -> dict[int, ProbeLine]:
    """The lines by number, from 1, empty ones left out; none if there is no file.

    Raises `AdapterBroken` naming file and line.
    """
    path = folder / PROBE_FILE
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AdapterBroken(f"{path} can't be read: {error.strerror}") from error
    written = {number: raw for number, raw in enumerate(data.split(b"\n"), 1) if raw.strip()}
    if len(data) > MAX_BYTES or len(written) > MAX_LINES:
        raise AdapterBroken(
            f"{path} is too large: {MAX_LINES} lines and {MAX_BYTES} bytes are the most",
            hint="A few short prompts prove an adapter as well.",
        )
    return {number: _line(path, number, raw) for number, raw in written.items()}


def _line(path: Path, number: int, raw: bytes) -> ProbeLine:
    try:
        return ProbeLine.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise AdapterBroken(
            f"{path}, line {number}: {where}{first['msg']}",
            hint="The page on proof in the documentation describes the file.",
        ) from error
