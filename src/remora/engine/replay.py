"""Replays an adapter's ``probe.jsonl``: does it still say what it said after training?

The answers are not generated anew: one pass over prompt and answer tells, at each place, how
likely the adapter finds the token that stands there, and which it likes best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remora.engine.scorer import Scorer
from remora.engine.tokenizer import Tokenizer
from remora.errors import AdapterBroken, RequestError
from remora.formats.probe_file import PROBE_FILE, ProbeLine, read_probe_file
from remora.lora.probe import Replay

MAX_TOKENS = 1024
"""Of a prompt and its answer together."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the file as token ids."""

    where: str
    asked: ProbeLine
    prompt: Sequence[int]
    answer: Sequence[int]


@dataclass(slots=True)
class _Heard:
    """What the adapter thinks of each token of an answer: its log-probability, that of the best
    token, and which one that is."""

    own: list[float]
    best: list[float]
    best_tokens: list[int]


def replay(
    folder: Path, adapter: Any, scorer: Scorer, tokenizer: Tokenizer
) -> tuple[Replay | None, tuple[str, ...]]:
    """The result, None without a file, and warnings.

    Raises `AdapterBroken` where a line is wrong, or the adapter is further off than the line
    tolerates.
    """
    lines = _read(folder, tokenizer)
    if not lines:
        return None, ()
    warnings: list[str] = []
    skews: list[float] = []
    reproduced = 0
    for line in lines:
        heard = _listen(line, adapter, scorer)
        if line.asked.greedy:
            warning = _compare_choice(line, heard, tokenizer)
            warnings += [] if warning is None else [warning]
            reproduced += warning is None
        if line.asked.logprobs is not None:
            skews += _compare_logprobs(line, heard, line.asked.logprobs)
    result = Replay(
        lines=len(lines),
        texts=sum(line.asked.greedy for line in lines),
        reproduced=reproduced,
        mean_skew=sum(skews) / len(skews) if skews else None,
        max_skew=max(skews, default=None),
    )
    return result, tuple(warnings)


def _read(folder: Path, tokenizer: Tokenizer) -> list[_Line]:
    asked = read_probe_file(folder)
    template = tokenizer.template
    lines = []
    for number, line in asked.items():
        where = f"{folder / PROBE_FILE}, line {number}"
        if line.prompt is not None:
            prompt = tokenizer.encode(line.prompt, add_special_tokens=True)
        elif template is not None:
            try:
                text = template.render(
                    line.messages or [], add_generation_prompt=True, variables={}
                )
            except RequestError as error:
                raise AdapterBroken(f"{where}: {error}") from error
            prompt = tokenizer.encode(text, add_special_tokens=False)
        else:
            raise AdapterBroken(f"{where}: there is no chat template for its messages")
        answer = line.tokens or tokenizer.encode(line.text or "", add_special_tokens=False)
        lines.append(_Line(where, line, prompt, answer))
    return lines


def _listen(line: _Line, adapter: Any, scorer: Scorer) -> _Heard:
    vocab = scorer.vocab
    if not line.prompt or not all(0 <= token < vocab for token in line.answer):
        raise AdapterBroken(
            f"{line.where}: the prompt is empty, or a token is not in 0 to {vocab - 1}"
        )
    tokens = [*line.prompt, *line.answer[:-1]]
    if len(tokens) > min(MAX_TOKENS, scorer.positions):
        raise AdapterBroken(f"{line.where}: {len(tokens)} tokens are too many")
    heard = _Heard([], [], [])

    def hear(scores: Tensor) -> None:
        if not len(scores):
            return
        logprobs = scores.log_softmax(-1)
        wanted = torch.tensor(line.answer[len(heard.own) : len(heard.own) + len(scores)])
        heard.own += logprobs.gather(1, wanted[:, None])[:, 0].tolist()
        highest = logprobs.max(-1)
        heard.best += highest.values.tolist()
        heard.best_tokens += highest.indices.tolist()

    for _ in scorer.scores(tokens, adapter, hear, first=len(line.prompt) - 1):
        pass
    if not all(map(math.isfinite, heard.best)):
        raise AdapterBroken(f"{line.where}: the adapter's scores are not finite")
    return heard


def _compare_choice(line: _Line, heard: _Heard, tokenizer: Tokenizer) -> str | None:
    """None if greedy decoding yields the answer, a warning if it nearly does."""
    gaps = [best - own for best, own in zip(heard.best, heard.own, strict=True)]
    place = max(range(len(gaps)), key=gaps.__getitem__)
    if gaps[place] == 0:
        return None
    said = tokenizer.token_text(line.answer[place])
    says = tokenizer.token_text(heard.best_tokens[place])
    message = (
        f"{line.where}: at token {place + 1} of the answer, {said!r}, the adapter prefers {says!r} "
        f"by {gaps[place]:.2g} nats"
    )
    if gaps[place] > line.asked.tolerance:
        raise _other(message, line)
    return message


def _compare_logprobs(line: _Line, heard: _Heard, reference: Sequence[float]) -> list[float]:
    """How far each log-probability is from the training's [nats]."""
    if len(reference) != len(heard.own):
        raise AdapterBroken(
            f"{line.where}: {len(reference)} logprobs for an answer of {len(heard.own)} tokens",
            hint="Give the answer as 'tokens', so that it is divided as it was in training.",
        )
    skews = [abs(own - then) for own, then in zip(heard.own, reference, strict=True)]
    mean = sum(skews) / len(skews)
    if mean > line.asked.tolerance:
        raise _other(
            f"{line.where}: the log-probabilities are off by {mean:.2g} nats in the mean", line
        )
    return skews


def _other(message: str, line: _Line) -> AdapterBroken:
    return AdapterBroken(
        f"{message}; {line.asked.tolerance:g} are tolerated",
        hint="Is it the base model that the adapter was trained on, and the same chat template?",
    )
