"""Prompts of an exact number of tokens, never the same twice.

They are words of the made tokenizer (`benchmarks.models.vocabulary`), each one token; what the
chat template adds is known, so a prompt's length is known without a tokenizer, and is checked
against the ``usage`` that every server reports.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from benchmarks.models import CONSONANTS, VOWELS

TEMPLATE_TOKENS = 3  # <|user|> … <|end|><|assistant|>
SYLLABLES = ["".join(pair) for pair in itertools.product(CONSONANTS, VOWELS)]


def prompts(tokens: int, seed: int) -> Iterator[str]:
    """Endless user messages that make prompts of ``tokens`` tokens, template included.

    The first word has no space before it and is one of few; the second differs from message to
    message, so that no two share more than the template's first tokens and that word.
    """
    words = ["".join(pair) for pair in itertools.product(SYLLABLES, SYLLABLES)]
    chance = random.Random(seed)
    second = words.copy()
    chance.shuffle(second)
    rest = tokens - TEMPLATE_TOKENS - 2
    for word in itertools.cycle(second):
        yield " ".join([chance.choice(SYLLABLES), word, *chance.choices(words, k=rest)])
