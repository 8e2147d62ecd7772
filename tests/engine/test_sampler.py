from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from remora.engine.grammar import Matcher
from remora.engine.request import SamplingParams
from remora.engine.sampler import Sample, SamplerState, sample


class Uniform(random.Random):
    """Says the number that it was told."""

    def __init__(self, number: float) -> None:
        super().__init__(0)
        self._number = number

    def random(self) -> float:
        return self._number


def state(
    params: SamplingParams,
    number: float = 0.5,
    *,
    seen: list[int] | None = None,
    endings: tuple[int, ...] = (),
    generated: list[int] | None = None,
    matcher: Matcher | None = None,
) -> SamplerState:
    made = SamplerState(params, frozenset(seen or ()), endings, Uniform(number), matcher)
    for token in generated or ():
        made.record(token)
    return made


def shares(logits: Tensor, params: SamplingParams, draws: int = 2000) -> Tensor:
    """How often each token is chosen when the random numbers go evenly from 0 to 1."""
    counts = torch.zeros(len(logits))
    for number in range(draws):
        [got] = sample(logits.clone()[None], [state(params, (number + 0.5) / draws)])
        counts[got.token] += 1
    return counts / draws


def wanted(logits: Tensor, params: SamplingParams) -> Tensor:
    """The distribution by the definitions: temperature, then top-k, then top-p and min-p."""
    probabilities = (logits.double() / params.temperature).softmax(-1)
    if params.top_k:
        least = probabilities.topk(min(params.top_k, len(logits))).values[-1]
        probabilities = probabilities * (probabilities >= least)
        probabilities = probabilities / probabilities.sum()
    keep = torch.ones(len(logits), dtype=torch.bool)
    if params.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        keep[order] = ordered.cumsum(-1) - ordered < params.top_p
        keep[order[0]] = True
    if params.min_p:
        keep &= probabilities >= params.min_p * probabilities.max()
    kept = probabilities * keep
    return kept / kept.sum()


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 1},
        {"top_k": 5},
        {"top_k": 10_000},
        {"top_p": 0.6},
        {"top_p": 1e-6},
        {"top_p": 0.0},
        {"min_p": 0.2},
        {"min_p": 1.0},
        {"temperature": 2.0, "top_k": 20, "top_p": 0.8, "min_p": 0.05},
        {"top_p": 0.999},
    ],
)
@pytest.mark.parametrize("vocab", [12, 900])
def test_tokens_come_as_often_as_their_probabilities_say(
    limits: dict[str, Any], vocab: int
) -> None:
    params = SamplingParams(**limits)
    logits = torch.randn(vocab, generator=torch.Generator().manual_seed(1)) * 2
    want = wanted(logits, params)
    got = shares(logits, params)
    # Inversion of evenly spaced numbers misses each token's share by less than two spaces.
    assert (got - want).abs().max() < 2 / 2000
    assert not got[want == 0].any()


def test_a_flat_distribution_reaches_every_token() -> None:
    got = shares(torch.zeros(600), SamplingParams(), draws=2400)
    assert got.min() > 0
    assert got.max() < 2 / 600


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 5), st.floats(0, 1), st.floats(0, 1))
def test_whatever_is_drawn_was_allowed(
    seed: int, temperature: float, top_p: float, min_p: float
) -> None:
    params = SamplingParams(temperature=temperature, top_p=top_p, min_p=min_p)
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(700, generator=generator) * 3
    number = random.Random(seed).random()
    [got] = sample(logits.clone()[None], [state(params, number)])
    # A token just at a limit may fall on either side of it by rounding.
    loose = SamplingParams(temperature=temperature, top_p=min(1, top_p + 1e-4), min_p=min_p * 0.999)
    assert wanted(logits, loose)[got.token] > 0


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
@pytest.mark.parametrize("limits", [{}, {"top_p": 0.9}, {"top_k": 3}, {"min_p": 0.5}])
def test_the_ends_of_the_range(number: float, limits: dict[str, Any]) -> None:
    logits = torch.tensor([[0.0, 3.0, -1.0, 2.0, -1000.0]])
    [got] = sample(logits, [state(SamplingParams(**limits), number)])
    assert got.finite
    assert got.token != 4


def test_a_temperature_near_zero_is_greedy() -> None:
    [got] = sample(torch.tensor([[1.0, 1.1, 0.9]]), [state(SamplingParams(temperature=1e-9), 0.9)])
    assert got.token == 1


class Only:
    """A matcher that allows the same tokens for ever."""

    failure = None
    is_finished = False

    def __init__(self, *tokens: int, size: int) -> None:
        self.tokens = tokens
        self._mask = np.isin(np.arange(size), tokens)

    def allowed(self) -> NDArray[np.bool_]:
        return self._mask

    def accept(self, token: int) -> None:
        assert self._mask[token]


@pytest.mark.parametrize(
    "limits", [{}, {"top_k": 2}, {"top_p": 0.7}, {"min_p": 0.2}, {"temperature": 3.0}]
)
def test_a_grammar_takes_its_part_of_the_distribution(limits: dict[str, Any]) -> None:
    logits = torch.randn(700, generator=torch.Generator().manual_seed(5)) * 2
    # Fewer tokens than the model scores: the tokenizer does not know those behind.
    matcher = Only(3, 40, 41, 299, 300, 640, size=650)
    masked = logits.masked_fill(~torch.isin(torch.arange(700), torch.tensor(matcher.tokens)), -50)
    params = SamplingParams(**limits)
    counts = torch.zeros(700)
    for number in range(1000):
        row = state(params, (number + 0.5) / 1000)
        row.matcher = matcher
        counts[sample(logits.clone()[None], [row])[0].token] += 1
    assert (counts / 1000 - wanted(masked, params)).abs().max() < 2 / 1000


def choose(logits: list[float], params: SamplingParams, **facts: Any) -> Sample:
    return sample(torch.tensor([logits]), [state(params, **facts)])[0]


def test_penalties_follow_their_formulas() -> None:
    logits = torch.randn(40, generator=torch.Generator().manual_seed(2)) * 2
    params = SamplingParams(
        temperature=0, repetition_penalty=1.7, presence_penalty=0.4, frequency_penalty=0.9
    )
    seen, generated = [1, 2, 3], [3, 4, 4, 5]
    from transformers import RepetitionPenaltyLogitsProcessor

    ids = torch.tensor([seen + generated])
    want = RepetitionPenaltyLogitsProcessor(1.7)(ids, logits.clone()[None])[0]
    for token in set(generated):
        want[token] -= 0.4 + 0.9 * generated.count(token)
    from remora.engine.sampler import _adjust

    got = _adjust(logits.clone(), state(params, seen=seen, generated=generated))
    torch.testing.assert_close(got, want)


def test_a_presence_penalty_leaves_the_prompt_alone() -> None:
    params = SamplingParams(temperature=0, presence_penalty=2.0)
    assert choose([1.0, 0.0], params, seen=[0]).token == 0
    assert choose([1.0, 0.0], params, generated=[0]).token == 1


def test_biases_decide() -> None:
    ban = SamplingParams(temperature=0, logit_bias={0: -100, 2: 1.5})
    assert choose([50.0, 1.0, 0.0], ban).token == 2
    force = SamplingParams(logit_bias={2: 100})
    assert all(choose([9.0, 1.0, 0.0], force, number=n / 10).token == 2 for n in range(10))


def test_an_ending_does_not_come_too_early() -> None:
    params = SamplingParams(temperature=0, min_tokens=2)
    assert choose([0.0, 5.0], params, endings=(1,), matcher=Only(0, 1, size=2)).token == 0
    assert choose([0.0, 5.0], params, endings=(1,), matcher=Only(1, size=2)).token == 1
    assert choose([0.0, 5.0], params, endings=(1,)).token == 0
    assert choose([0.0, 5.0], params, endings=(1,), generated=[0]).token == 0
    assert choose([0.0, 5.0], params, endings=(1,), generated=[0, 0]).token == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_log_probabilities_are_those_of_the_model(temperature: float) -> None:
    logits = torch.randn(30, generator=torch.Generator().manual_seed(3))
    params = SamplingParams(
        temperature=temperature, logprobs=4, logit_bias={7: 100}, repetition_penalty=3.0
    )
    got = choose(logits.tolist(), params, seen=[1, 2])
    want = logits.log_softmax(-1)
    assert got.token == 7
    assert got.logprob == pytest.approx(float(want[7]), abs=1e-5)
    best = want.topk(4)
    assert [token for token, _ in got.top] == best.indices.tolist()
    assert [logprob for _, logprob in got.top] == pytest.approx(best.values.tolist(), abs=1e-5)


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (3, 3), (50, 5)])
def test_as_many_top_tokens_as_asked_for(asked: int, given: int) -> None:
    assert len(choose([1.0, 2.0, 3.0, 4.0, 5.0], SamplingParams(logprobs=asked)).top) == given


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_row_that_is_not_finite_spoils_no_other(broken: float) -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0], [broken, 0.0, 0.0], [3.0, 0.0, 0.0]])
    params = [SamplingParams(temperature=0), SamplingParams(), SamplingParams(logprobs=1, top_k=1)]
    got = sample(logits, [state(each) for each in params])
    assert [one.finite for one in got] == [True, False, True]
    assert (got[0].token, got[2].token) == (1, 0)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    logits = torch.randn(8, 500, generator=torch.Generator().manual_seed(4))
    params = [
        SamplingParams(),
        SamplingParams(temperature=0),
        SamplingParams(top_k=4),
        SamplingParams(top_p=0.3),
        SamplingParams(min_p=0.1, temperature=2),
        SamplingParams(logprobs=2, repetition_penalty=2),
        SamplingParams(logit_bias={3: 5}),
        SamplingParams(min_tokens=3),
    ]

    def states() -> list[SamplerState]:
        return [
            SamplerState(each, frozenset([1, 2]), (3,), random.Random(number))
            for number, each in enumerate(params)
        ]

    together = sample(logits.clone(), states())
    alone = [sample(row.clone()[None], [one])[0] for row, one in zip(logits, states(), strict=True)]
    assert together == alone
