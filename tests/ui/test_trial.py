"""Answers held against what was expected, and what they amount to."""

from __future__ import annotations

import csv

import pytest

from remora.ui.answer import Answer
from remora.ui.difference import marked, similarity
from remora.ui.prompts_file import Row
from remora.ui.trial import Trial, scored

ROW = Row(({"role": "user", "content": "Q"},), "the sea is blue")


def answer(text: str, *, tokens: int = 4, seconds: float = 1.0) -> Answer:
    return Answer("tone", text, "stop", 3, tokens, begun=10.0, first=10.5, ended=10.0 + seconds)


def test_a_summary_of_good_and_failed_answers() -> None:
    answers = [
        answer("the sea is blue\n", tokens=4, seconds=1),
        answer("the sea is green", tokens=6, seconds=3),
        answer("", seconds=2),
    ]
    answers[2].problem = "It broke."
    trial = Trial(("tone", "silent"), (ROW,) * 3, [scored(ROW, each) for each in answers])
    (found,) = trial.summaries()
    assert (found.answered, found.failed, found.exact) == (2, 1, 0.5)
    assert found.tokens == 5
    assert found.latency == pytest.approx(2)
    assert found.similarity == pytest.approx((1 + 6 / 7) / 2)


def test_the_file_holds_no_formula() -> None:
    trial = Trial(("tone",), (ROW,), [scored(ROW, answer('=cmd|"x"'))])
    (row,) = csv.DictReader(trial.csv().splitlines())
    assert row["answer"] == '\'=cmd|"x"'
    assert row["exact"] == "False"


def test_speed_counts_the_tokens_after_the_first() -> None:
    assert answer("x", tokens=4, seconds=2).speed == pytest.approx(2)
    assert answer("x", tokens=1).speed is None


def test_words_that_the_other_text_lacks_are_marked() -> None:
    assert marked("the <b> sea", "the blue sea") == "the <mark>&lt;b&gt;</mark> sea"
    assert marked("same", "same") == "same"
    assert similarity(" a b ", "a b") == 1
    assert similarity("", "") == 1
    assert similarity("a", "b") == 0
