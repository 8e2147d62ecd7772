"""Reading an adapter's file in windows: any mix of types and sizes, in any order."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from remora.lora import weights_file
from remora.lora.weights_file import NotFinite, WeightsFile

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@settings(max_examples=60, deadline=None)
@given(
    tensors=st.lists(
        st.tuples(st.sampled_from(DTYPES), st.integers(0, 9), st.integers(0, 9)), min_size=1
    ),
    window=st.integers(1, 400),
    seed=st.integers(0, 99),
)
def test_what_is_read_is_what_was_saved(
    folder: Path, tensors: list[tuple[torch.dtype, int, int]], window: int, seed: int
) -> None:
    saved = {
        f"t{number:02}": torch.arange(1.0, rows * columns + 1).view(rows, columns).to(dtype)
        for number, (dtype, rows, columns) in enumerate(tensors)
    }
    save_file(saved, folder / "any.safetensors")
    names = list(saved) * 2
    random.Random(seed).shuffle(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights_file, "_WINDOW_BYTES", window)
        with WeightsFile(folder / "any.safetensors") as file:
            got = [(name, file.read(name)) for name in names]
    for name, tensor in got:
        assert tensor.dtype == saved[name].dtype
        assert torch.equal(tensor, saved[name])


def test_types_that_do_not_follow_their_alignment(folder: Path) -> None:
    path = folder / "odd.safetensors"
    save_file({"a": torch.ones(4), "b": torch.full((3,), 2.0, dtype=torch.bfloat16)}, path)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header, data = raw[8 : 8 + length], raw[8 + length :]
    # Any order is allowed by the format, also one that puts four bytes at an odd place.
    swapped = header.replace(b"[0,16]", b"[6,22]").replace(b"[16,22]", b"[0,6]")
    path.write_bytes(raw[:8] + swapped.ljust(length) + data[16:] + data[:16])
    with WeightsFile(path) as file:
        assert file.read("a").tolist() == [1.0] * 4
        assert file.read("b").tolist() == [2.0] * 3
    assert load_file(path)["a"].tolist() == [1.0] * 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none(folder: Path, dtype: torch.dtype, value: float) -> None:
    good, bad = torch.ones(3, 3, dtype=dtype), torch.ones(5, dtype=dtype)
    bad[3] = value
    save_file({"a": good, "b": torch.zeros(0, dtype=dtype), "c": bad}, folder / "bad.safetensors")
    with WeightsFile(folder / "bad.safetensors") as file, pytest.raises(NotFinite):
        [file.read(name) for name in ("a", "b", "c")]


def test_a_file_that_shrinks_after_it_was_opened(folder: Path) -> None:
    path = folder / "short.safetensors"
    save_file({"a": torch.ones(4096)}, path)
    with WeightsFile(path) as file:
        with path.open("r+b") as other:
            other.truncate(2000)
        with pytest.raises(OSError, match="shorter than its header says"):
            file.read("a")
