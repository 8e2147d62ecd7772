"""Chooses the next tokens from their scores, each row by its own parameters.

The randomness of a row comes from its own seed, one number a token, and picks from the summed
probabilities by inversion: the same seed gives the same text, whatever else is in the batch.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from remora.engine.grammar import Matcher
from remora.engine.request import SamplingParams

# Sorting the whole vocabulary is slow, and the likely tokens nearly always suffice.
_LIKELY = 256
# Below this temperature scores would overflow; the choice is as good as greedy long before.
_COLDEST = 1e-4
_LEAST = 1e-12


@dataclass(slots=True)
class SamplerState:
    """What a row's sampling depends on beside its scores.

    ``seen`` are the prompt's tokens and ``counts`` the generated ones'; ``endings`` are the
    tokens that may not come before ``min_tokens`` have. ``matcher`` holds the row to a grammar.
    """

    params: SamplingParams
    seen: Collection[int]
    endings: Sequence[int]
    random: random.Random
    matcher: Matcher | None = None
    counts: dict[int, int] = field(default_factory=dict)
    generated: int = 0

    def record(self, token: int) -> None:
        """Count a token that was chosen."""
        self.generated += 1
        self.counts[token] = self.counts.get(token, 0) + 1
        if self.matcher is not None:
            self.matcher.accept(token)


@dataclass(frozen=True, slots=True)
class Sample:
    """A chosen token; ``logprob`` and ``top`` (token, logprob) where they were asked for.

    Log-probabilities are those of the model, before temperature and penalties. ``finite`` is
    False if the model's scores were not numbers, and then the token means nothing.
    """

    token: int
    finite: bool
    logprob: float = 0.0
    top: tuple[tuple[int, float], ...] = ()


@torch.inference_mode()
def sample(logits: Tensor, states: Sequence[SamplerState]) -> list[Sample]:
    """Choose one token for each row of logits [rows, vocab]; the logits are used up."""
    greedy = [_is_greedy(state) for state in states]
    finite = logits.sum(-1).isfinite().tolist()
    plain = logits.argmax(-1).tolist() if any(greedy) else [0] * len(states)
    return [
        Sample(0, finite=False) if not ok
        else Sample(token, finite=True) if is_greedy
        else _sample_row(row, state)
        for row, state, token, is_greedy, ok in zip(
            logits, states, plain, greedy, finite, strict=True
        )
    ]  # fmt: skip


def _is_greedy(state: SamplerState) -> bool:
    """Whether the largest score decides, and nothing else is asked for."""
    params = state.params
    return (
        params.temperature == 0
        and params.logprobs is None
        and params.repetition_penalty == 1
        and params.presence_penalty == 0
        and params.frequency_penalty == 0
        and not params.logit_bias
        and state.generated >= params.min_tokens
        and state.matcher is None
    )


def _sample_row(logits: Tensor, state: SamplerState) -> Sample:
    params = state.params
    logprobs = logits.log_softmax(-1) if params.logprobs is not None else None
    scores = _adjust(logits, state)
    if params.temperature == 0:
        token = int(scores.argmax())
    else:
        token = _draw(scores / max(params.temperature, _COLDEST), params, state.random.random())
    if logprobs is None:
        return Sample(token, finite=True)
    best = logprobs.topk(min(params.logprobs or 0, len(logprobs)))
    top = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    return Sample(token, finite=True, logprob=float(logprobs[token]), top=top)


def _adjust(logits: Tensor, state: SamplerState) -> Tensor:
    """Apply penalties, biases, the grammar and the ban on early endings to one row, in place."""
    params = state.params
    if params.repetition_penalty != 1:
        # Divides positive scores and multiplies negative ones (https://arxiv.org/abs/1909.05858).
        seen = torch.tensor(sorted({*state.seen, *state.counts}), device=logits.device)
        scores = logits[seen]
        penalty = params.repetition_penalty
        logits[seen] = torch.where(scores > 0, scores / penalty, scores * penalty)
    if (params.presence_penalty or params.frequency_penalty) and state.counts:
        tokens = torch.tensor(list(state.counts), device=logits.device)
        counts = torch.tensor(list(state.counts.values()), device=logits.device)
        logits[tokens] -= params.presence_penalty + params.frequency_penalty * counts
    if params.logit_bias:
        tokens = torch.tensor(list(params.logit_bias), device=logits.device)
        logits[tokens] += torch.tensor(list(params.logit_bias.values()), device=logits.device)
    early = state.endings if state.generated < params.min_tokens else ()
    if state.matcher is not None:
        return logits.masked_fill_(_forbidden(state.matcher, early, logits), -torch.inf)
    if early:
        logits[torch.tensor(list(early), device=logits.device)] = -torch.inf
    return logits


def _forbidden(matcher: Matcher, early: Sequence[int], logits: Tensor) -> Tensor:
    """Which tokens [vocab] a grammar rules out, and endings that come too early.

    Where the grammar leaves nothing but an ending, it is not too early.
    """
    forbidden = ~matcher.allowed()[: len(logits)]
    if (unknown := len(logits) - len(forbidden)) > 0:
        forbidden = np.pad(forbidden, (0, unknown), constant_values=True)
    if early:
        both = forbidden.copy()
        both[list(early)] = True
        forbidden = forbidden if both.all() else both
    return torch.from_numpy(forbidden).to(logits.device)


def _draw(scores: Tensor, params: SamplingParams, uniform: float) -> int:
    """Pick from the most likely tokens that the limits leave, by the inverse of their sum."""
    if not _is_limited(params):
        # In float64, for the sum of a large vocabulary must not lose its small parts.
        summed = scores.softmax(-1).cumsum(-1, dtype=torch.float64)
        # Zero itself would choose the first token, however unlikely.
        place = max(uniform, _LEAST) * float(summed[-1])
        chosen = torch.searchsorted(summed, place, right=True)
        return min(int(chosen), len(scores) - 1)
    total = scores.logsumexp(-1)
    for count in (params.top_k,) if params.top_k else (_LIKELY, len(scores)):
        best = scores.topk(min(count, len(scores)))
        probabilities = (best.values - total).exp()
        if _suffice(probabilities, params):
            break
    kept = _within(probabilities, params)
    cumulated = kept.cumsum(-1)
    place = int(torch.searchsorted(cumulated, uniform * float(cumulated[-1]), right=True))
    return int(best.indices[min(place, int(kept.count_nonzero()) - 1)])


def _is_limited(params: SamplingParams) -> bool:
    return bool(params.top_k) or params.top_p < 1 or params.min_p > 0


def _suffice(probabilities: Tensor, params: SamplingParams) -> bool:
    """Whether all that the limits leave is among these, the most likely tokens."""
    few = params.min_p > 0 and bool(probabilities[-1] < params.min_p * probabilities[0])
    return few or (params.top_p < 1 and float(probabilities.sum()) >= params.top_p)


def _within(probabilities: Tensor, params: SamplingParams) -> Tensor:
    """Sorted probabilities with zeros where top-k, top-p or min-p cut off."""
    if params.top_k:
        probabilities = probabilities / probabilities.sum()
    if params.top_p < 1:
        before = probabilities.cumsum(-1) - probabilities
        keep = before < params.top_p
        keep[0] = True
        probabilities = probabilities * keep
    if params.min_p > 0:
        probabilities = probabilities * (probabilities >= params.min_p * probabilities[0])
    return probabilities
