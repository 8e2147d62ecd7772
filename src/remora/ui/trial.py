"""A data set run over models: answers as they come, and what they amount to."""

from __future__ import annotations

import asyncio
import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from remora.client.async_endpoint import AsyncEndpoint
from remora.ui.answer import Answer, fill
from remora.ui.difference import similarity
from remora.ui.prompts_file import Row

AT_ONCE = 8  # requests; the endpoint computes them in one batch


@dataclass(frozen=True, slots=True)
class Result:
    """A row's answer. ``exact`` and ``similarity`` (0 to 1) are None where nothing is expected."""

    row: Row
    answer: Answer
    exact: bool | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """One model over all rows that it has answered; latency in seconds, length in tokens."""

    model: str
    answered: int
    failed: int
    exact: float | None
    similarity: float | None
    tokens: float | None
    latency: float | None


@dataclass(slots=True)
class Trial:
    """All results so far, in the order in which they came."""

    models: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    results: list[Result] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many answers there will be."""
        return len(self.models) * len(self.rows)

    async def run(self, endpoint: AsyncEndpoint, parameters: Mapping[str, Any]) -> None:
        """Ask every model every row, `AT_ONCE` at a time; cancelling ends what runs."""
        jobs = iter([(row, model) for row in self.rows for model in self.models])

        async def work() -> None:
            for row, model in jobs:
                answer = Answer(model)
                await fill(answer, endpoint, row.messages, parameters)
                self.results.append(scored(row, answer))

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    def summaries(self) -> list[Summary]:
        """One for each model that has answered."""
        return [
            summary(model, mine)
            for model in self.models
            if (mine := [each for each in self.results if each.answer.model == model])
        ]

    def csv(self) -> str:
        """All results as a table that spreadsheets open."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(
            [
                *("model", "prompt", "expected", "answer", "exact", "similarity"),
                *("completion_tokens", "latency_s", "finish_reason", "problem"),
            ]
        )
        for each in self.results:
            answer = each.answer
            cells = [answer.model, each.row.prompt, each.row.expected, answer.text]
            figures = [each.exact, each.similarity, answer.completion_tokens, answer.latency]
            rounded = [round(f, 4) if isinstance(f, float) else f for f in figures]
            writer.writerow(
                [_inert(c) for c in [*cells, *rounded, answer.finish_reason, answer.problem]]
            )
        return text.getvalue()


def scored(row: Row, answer: Answer) -> Result:
    """Hold an answer against what was expected, without regard to space around it."""
    if row.expected is None or answer.problem:
        return Result(row, answer)
    exact = answer.text.strip() == row.expected.strip()
    return Result(row, answer, exact, 1.0 if exact else similarity(answer.text, row.expected))


def summary(model: str, results: Sequence[Result]) -> Summary:
    """What a model's results amount to."""
    good = [each for each in results if not each.answer.problem]
    return Summary(
        model=model,
        answered=len(good),
        failed=len(results) - len(good),
        exact=_mean([float(each.exact) for each in good if each.exact is not None]),
        similarity=_mean([each.similarity for each in good if each.similarity is not None]),
        tokens=_mean([each.answer.completion_tokens for each in good]),
        latency=_median([each.answer.latency for each in good]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _inert(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula is kept from it."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t"} else cell
