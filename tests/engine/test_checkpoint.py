from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from remora.engine import checkpoint as module
from remora.engine.checkpoint import Checkpoint
from remora.errors import ModelError

A = torch.arange(12, dtype=torch.float32).view(4, 3)
B = torch.arange(100, 106, dtype=torch.float32).view(2, 3)


def write(folder: Path, index: object = None, **files: dict[str, torch.Tensor]) -> Path:
    for name, tensors in files.items():
        save_file(tensors, folder / f"{name}.safetensors")
    if index is not None:
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def read(folder: Path, *names: str, shape: tuple[int, ...], dtype: Any = torch.float32) -> Any:
    with Checkpoint(folder) as checkpoint:
        return checkpoint.fetch(names, shape, dtype).result()


def test_tensors_of_several_shards_are_stacked(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    write(tmp_path, index, one={"a": A}, two={"b": B}, other={"a": -A})
    got = read(tmp_path, "b", "a", shape=(6, 3))
    assert torch.equal(got, torch.cat([B, A]))


def test_shards_without_an_index(tmp_path: Path) -> None:
    write(tmp_path, one={"a": A}, two={"b": B})
    with Checkpoint(tmp_path) as checkpoint:
        assert "a" in checkpoint
        assert "c" not in checkpoint
        assert checkpoint.layout().count("\n") == 1
    assert torch.equal(checkpoint.read("b"), B)


@pytest.mark.parametrize("saved", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("wanted", [torch.float32, torch.float16, torch.bfloat16])
def test_dtypes_are_converted(saved: torch.dtype, wanted: torch.dtype, tmp_path: Path) -> None:
    values = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).to(saved)
    got = read(write(tmp_path, one={"a": values}), "a", shape=(5, 7), dtype=wanted)
    assert torch.equal(got, values.to(wanted))


def test_a_tensor_is_read_in_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RANGE_BYTES", 40)
    values = torch.randn(37, 3)
    write(tmp_path, one={"a": values, "b": values.half()})
    assert torch.equal(read(tmp_path, "a", shape=(37, 3)), values)
    assert torch.equal(read(tmp_path, "b", shape=(37, 3)), values.half().float())


@pytest.mark.parametrize(
    ("names", "shape", "words"),
    [
        (["c"], (4, 3), "lack 'c'"),
        (["a"], (3, 4), "shape"),
        (["a"], (12,), "shape"),
        (["a"], (5, 3), "4 rows where 5"),
        (["a", "b"], (5, 3), "shape"),
        (["integers"], (3,), "I64"),
    ],
)
def test_what_does_not_fit_is_named(
    names: list[str], shape: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    write(tmp_path, one={"a": A, "b": B, "integers": torch.arange(3)})
    with pytest.raises(ModelError, match=words):
        read(tmp_path, *names, shape=shape)


@pytest.mark.parametrize("lost", [1, 20, 10_000])
def test_a_truncated_file_is_told(lost: int, tmp_path: Path) -> None:
    path = write(tmp_path, one={"a": A}) / "one.safetensors"
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(ModelError, match=r"truncated|too short"):
        Checkpoint(tmp_path)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, one={"a": A}) / "one.safetensors"
    with Checkpoint(tmp_path) as checkpoint:
        path.write_bytes(path.read_bytes()[:-8])
        with pytest.raises(ModelError, match="truncated"):
            checkpoint.fetch(["a"], (4, 3), torch.float32).result()


@pytest.mark.parametrize(
    "name", ["../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", "", "a\0b", "no", 7]
)
def test_an_index_that_names_other_places(name: object, tmp_path: Path) -> None:
    write(tmp_path, {"weight_map": {"a": name}}, one={"a": A})
    with pytest.raises(ModelError):
        Checkpoint(tmp_path)


@pytest.mark.parametrize("index", [[], {}, {"weight_map": []}, {"weight_map": {"a": []}}, 3])
def test_an_index_that_is_none(index: object, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"index\.json"):
        Checkpoint(write(tmp_path, index, one={"a": A}))


def test_weights_of_another_format(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="no \\*\\.safetensors") as raised:
        Checkpoint(tmp_path)
    assert "safe" in str(raised.value.hint)
