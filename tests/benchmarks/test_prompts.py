"""Prompts have the length that they claim, by the tokenizer that the models get."""

from __future__ import annotations

import itertools

from benchmarks.models import CONTROL, SHAPES, tokenizer, vocabulary
from benchmarks.prompts import prompts


def test_every_prompt_has_the_length_asked_for() -> None:
    made, not_words = tokenizer(SHAPES["smollm2-135m"].vocabulary)
    assert made.get_vocab_size() == 49152
    for message in itertools.islice(prompts(128, seed=3), 20):
        ids = made.encode(f"<|user|>{message}<|end|><|assistant|>").ids
        assert len(ids) == 128
        assert made.decode(ids[1:-2]) == message
        assert min(ids[2:-2]) >= not_words


def test_no_two_prompts_share_a_beginning() -> None:
    beginnings = [" ".join(m.split()[:2]) for m in itertools.islice(prompts(128, seed=0), 2000)]
    assert len(set(beginnings)) == len(beginnings)


def test_seeds_make_different_prompts() -> None:
    assert next(prompts(32, seed=0)) == next(prompts(32, seed=0))
    assert next(prompts(32, seed=0)) != next(prompts(32, seed=1))


def test_the_vocabulary_fills_the_shape_and_ends_in_whole_words() -> None:
    for size in (2000, 49152):
        ids, merges, not_words = vocabulary(size)
        assert len(ids) == size
        assert [ids[token] for token in CONTROL] == [0, 1, 2, 3, 4]
        assert all(token.startswith("Ġ") for token in list(ids)[not_words:])
        assert all("".join(pair) in ids for pair in merges)
