"""Names of resources are told beforehand as Azure's ``uniqueString`` makes them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.azure.unique_string import hash64, name_suffix, unique_string


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [(("hello", "world"), "a7wkljktk6wne"), (("tyeth",), "zcztcwvu6iyg6")],
)
def test_known_answers(arguments: tuple[str, ...], answer: str) -> None:
    assert unique_string(*arguments) == answer


def test_the_known_hash() -> None:
    assert hash64(b"hello-world") == 571013382255652050


@given(st.lists(st.text(), min_size=1))
def test_any_text_makes_thirteen_characters(arguments: list[str]) -> None:
    made = unique_string(*arguments)
    assert re.fullmatch("[a-z2-7]{13}", made)
    assert name_suffix("-".join(arguments)) == made[:5]
