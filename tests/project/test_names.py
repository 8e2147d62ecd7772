from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.project.names import is_name, make_name, names_of


def named(*paths: str, taken: tuple[str, ...] = ()) -> list[str]:
    return names_of([PurePosixPath(path) for path in paths], taken)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["models/qlora/qlora/gpu_model/adapter"], ["gpu_model"]),
        (
            ["models/qlora/qlora/gpu_model/adapter", "models/qlora/qlora/gpu-cpu_model/adapter"],
            ["gpu_model", "gpu-cpu_model"],
        ),
        (["a/tone/adapter", "b/tone/adapter"], ["a-tone", "b-tone"]),
        (["tone", "b/tone"], ["tone", "b-tone"]),
        (["adapters"], ["adapters"]),
        (["models/adapter", "output/adapter"], ["adapter", "adapter-2"]),
        (["Kunden-Support (v2)"], ["Kunden-Support-v2"]),
        (["日本"], ["model"]),
    ],
)
def test_a_name_is_the_shortest_telling_end_of_the_path(paths: list[str], names: list[str]) -> None:
    assert named(*paths) == names


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert named("x/Base", taken=("base",)) == ["Base-2"]


PARTS = st.lists(st.sampled_from(["a", "A", "adapter", "models", "b c", "é"]), max_size=4)


@given(st.lists(PARTS.map("/".join), unique=True))
def test_names_are_usable_and_unique_whatever_the_paths(paths: list[str]) -> None:
    names = named(*paths)
    assert len({name.lower() for name in names}) == len(paths)
    assert all(is_name(name) for name in names)


@given(st.text())
def test_any_text_becomes_a_name(text: str) -> None:
    assert is_name(make_name(text))
