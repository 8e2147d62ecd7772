from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from remora.kernels.linear import DenseLinear, PackedLinear, pack, packing_works

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.1}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rows", [1, 3, 8, 70])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["packed", "dense"])
def test_it_is_a_linear_layer(kind: str, bias: bool, rows: int, dtype: torch.dtype) -> None:
    if kind == "packed" and not packing_works(dtype):
        pytest.skip("this build of PyTorch does not pack such weights")
    generator = torch.Generator().manual_seed(rows)
    weight = torch.randn(40, 24, generator=generator).to(dtype)
    shift = torch.randn(40, generator=generator).to(dtype) if bias else None
    x = torch.randn(rows, 24, generator=generator).to(dtype)
    other = torch.randn(rows, 40, generator=generator).to(dtype)
    layer = (PackedLinear if kind == "packed" else DenseLinear)(weight, shift)
    right = functional.linear(
        x.double(), weight.double(), None if shift is None else shift.double()
    )
    for got, want in (
        (layer(x), right),
        (layer.add(x, other.clone()), right + other),
        (layer.mul(x, other.clone()), right * other),
    ):
        assert got.dtype == dtype
        torch.testing.assert_close(got.double(), want, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def test_what_can_not_be_packed_runs_all_the_same() -> None:
    weight = torch.randn(8, 4, dtype=torch.float64)
    assert pack(weight)(torch.ones(1, 4, dtype=torch.float64)).shape == (1, 8)
