"""Weights that others have quantized are read as the numbers that they stand for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from remora.engine.checkpoint import Checkpoint
from remora.engine.dequantized_checkpoint import DequantizedCheckpoint
from remora.engine.quantized import read_quantization
from remora.errors import ModelError, UnsupportedModel

NAME = "model.layers.0.mlp.up_proj.weight"
OUT, IN, GROUP = 24, 64, 16


def folder(
    tmp_path: Path, config: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> DequantizedCheckpoint:
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": config}))
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file({**tensors, "norm.weight": torch.ones(3)}, tmp_path / "model.safetensors")
    quantization = read_quantization(tmp_path)
    assert quantization is not None
    with Checkpoint(tmp_path) as checkpoint:
        return DequantizedCheckpoint(checkpoint, quantization)


def pack(codes: torch.Tensor, bits: int, order: tuple[int, ...] | None = None) -> torch.Tensor:
    """Put neighbouring numbers of a row into integers of 32 bits, one after the other."""
    rows: list[list[int]] = []
    each = 32 // bits
    for row in codes.tolist():
        packed = []
        for first in range(0, len(row), each):
            value = 0
            for place, source in enumerate(order or range(each)):
                value |= row[first + source] << bits * place
            packed.append(value - (1 << 32) if value >= 1 << 31 else value)
        rows.append(packed)
    return torch.tensor(rows, dtype=torch.int32)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("layout", ["gptq", "gptq_v2"])
@pytest.mark.parametrize("ordered", [True, False])
def test_gptq(bits: int, layout: str, ordered: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    codes = torch.randint(0, 1 << bits, (OUT, IN))
    zeros = torch.randint(1, 1 << bits, (IN // GROUP, 32))
    scales = torch.rand(IN // GROUP, OUT).half()
    group = torch.arange(IN) // GROUP
    if ordered:
        group = group[torch.randperm(IN)]
    wanted = (codes - zeros.T[:OUT, group]) * scales.float().T[:, group]
    module = NAME.removesuffix("weight")
    tensors = {
        module + "qweight": pack(codes, bits).T,
        module + "qzeros": pack(zeros - int(layout == "gptq"), bits),
        module + "scales": scales,
        module + "g_idx": group.int(),
    }
    config = {"quant_method": "gptq", "bits": bits, "checkpoint_format": layout}
    assert torch.equal(folder(tmp_path, config, tensors).read(NAME), wanted)


def test_awq(tmp_path: Path) -> None:
    torch.manual_seed(0)
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    codes, zeros = torch.randint(0, 16, (IN, OUT)), torch.randint(0, 16, (IN // GROUP, OUT))
    scales = torch.rand(IN // GROUP, OUT).half()
    group = torch.arange(IN) // GROUP
    module = NAME.removesuffix("weight")
    tensors = {
        module + "qweight": pack(codes, 4, order),
        module + "qzeros": pack(zeros, 4, order),
        module + "scales": scales,
    }
    source = folder(tmp_path, {"quant_method": "awq", "bits": 4, "version": "gemm"}, tensors)
    wanted = ((codes - zeros[group]) * scales.float()[group]).T
    assert torch.equal(source.read(NAME), wanted)
    assert NAME in source
    assert torch.equal(
        source.fetch([NAME, NAME], (2 * OUT, IN), torch.bfloat16).result(),
        torch.cat([wanted, wanted]).bfloat16(),
    )
    assert torch.equal(source.read("norm.weight"), torch.ones(3))
    with pytest.raises(ModelError, match=r"config\.json"):
        source.fetch([NAME], (OUT, IN + 1), torch.float32).result()


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bitsandbytes(kind: str, nested: bool, dtype: torch.dtype, tmp_path: Path) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    torch.manual_seed(0)
    weight = torch.randn(96, 384, dtype=dtype)
    packed, state = functional.quantize_4bit(weight, quant_type=kind, compress_statistics=nested)
    tensors = {f"{NAME}.{key}": value for key, value in state.as_dict(packed=True).items()}
    config = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    got = folder(tmp_path, config, {NAME: packed, **tensors}).read(NAME)
    wanted = functional.dequantize_4bit(packed, state).float()
    torch.testing.assert_close(got, wanted, rtol=1e-6 if dtype == torch.float32 else 0, atol=0)


@pytest.mark.parametrize(
    "config",
    [
        {"quant_method": "bitsandbytes", "load_in_8bit": True},
        {"quant_method": "gptq", "bits": 3},
        {"quant_method": "awq", "bits": 4, "version": "gemv"},
        {"quant_method": "hqq"},
    ],
)
def test_what_can_not_be_turned_back_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="quantized"):
        folder(tmp_path, config, {})
