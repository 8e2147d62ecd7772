"""Sampling defaults from a model's `generation_config.json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remora.engine.generation_config import sampling_defaults
from remora.engine.request import SamplingParams
from remora.errors import ModelError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, SamplingParams()),
        ("{}", SamplingParams()),
        (
            json.dumps(
                {
                    "temperature": 0.7,
                    "top_p": 0.8,
                    "top_k": 20,
                    "min_p": 0.05,
                    "repetition_penalty": 1.05,
                    "do_sample": True,
                    "max_new_tokens": 5,
                    "eos_token_id": [1, 2],
                }
            ),
            SamplingParams(
                temperature=0.7, top_p=0.8, top_k=20, min_p=0.05, repetition_penalty=1.05
            ),
        ),
        ('{"temperature": null, "do_sample": false}', SamplingParams()),
    ],
)
def test_what_the_file_says_of_sampling(
    tmp_path: Path, text: str | None, wanted: SamplingParams
) -> None:
    if text is not None:
        (tmp_path / "generation_config.json").write_text(text, "utf-8")
    assert sampling_defaults(tmp_path) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"top_p": 3}', "top_p = 3 is out of range"),
        ('{"temperature": "hot"}', "temperature must be a number, not 'hot'"),
        ('{"top_k": true}', "top_k must be a number, not True"),
        ("[]", "a JSON object is expected"),
        ("{", "can't be read"),
    ],
)
def test_what_nothing_can_be_sampled_with_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "generation_config.json").write_text(text, "utf-8")
    with pytest.raises(ModelError, match=words) as caught:
        sampling_defaults(tmp_path)
    assert "generation_config.json" in str(caught.value)
    assert "--no-generation-config" in str(caught.value.hint)
