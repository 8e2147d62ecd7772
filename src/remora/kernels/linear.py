"""Linear layers whose weights are laid out once for the machine's matrix kernels.

On a CPU, oneDNN would reorder a plain weight at every call. Its own layout, made once, is 1.2 to
2 times faster at the few rows of a decode step, and its fused forms add a residual, or multiply
by a mask, in the same pass. The operators are private to PyTorch, so they are tried on a small
example before they are trusted; without them `DenseLinear` does the same through public ones.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

# oneDNN chooses its layout for about this many rows at a time; others are served as well.
_LAYOUT_ROWS = 8


class Linear(Protocol):
    """``y = x @ weight.T + bias`` for x of shape [rows, in] and a weight of shape [out, in]."""

    def __call__(self, x: Tensor) -> Tensor:
        """[rows, in] -> [rows, out]."""
        ...

    def add(self, x: Tensor, other: Tensor) -> Tensor:
        """``other + self(x)``, fused where the machine can; other is [rows, out]."""
        ...

    def mul(self, x: Tensor, other: Tensor) -> Tensor:
        """``other * self(x)``, fused where the machine can; other is [rows, out]."""
        ...


class DenseLinear:
    """A plain weight, through PyTorch's public operators: any device, any dtype."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._weight = weight
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self._weight, self._bias)

    def add(self, x: Tensor, other: Tensor) -> Tensor:
        return functional.linear(x, self._weight, self._bias).add_(other)

    def mul(self, x: Tensor, other: Tensor) -> Tensor:
        return functional.linear(x, self._weight, self._bias).mul_(other)


class PackedLinear:
    """A weight in oneDNN's own layout; the plain one is not kept."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._packed = _reorder(weight)
        self._bias = bias
        self._plain = torch.ops.mkldnn._linear_pointwise.default
        self._fused = torch.ops.mkldnn._linear_pointwise.binary

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = self._plain(x, self._packed, self._bias, "none", [], "")
        return y

    def add(self, x: Tensor, other: Tensor) -> Tensor:
        y: Tensor = self._fused(x, other, self._packed, self._bias, "add")
        return y

    def mul(self, x: Tensor, other: Tensor) -> Tensor:
        y: Tensor = self._fused(x, other, self._packed, self._bias, "mul")
        return y


def pack(weight: Tensor, bias: Tensor | None = None) -> Linear:
    """The fastest right form of a linear layer for the weight's device and dtype."""
    if weight.device.type == "cpu" and packing_works(weight.dtype):
        return PackedLinear(weight, bias)
    return DenseLinear(weight, bias)


@lru_cache
def packing_works(dtype: torch.dtype) -> bool:
    """Whether this build of PyTorch packs weights of that dtype, and computes right with them."""
    weight, bias, x, other = (
        _sample(*shape).to(dtype) for shape in ((48, 32), (48,), (3, 32), (3, 48))
    )
    try:
        packed = PackedLinear(weight, bias)
        got = torch.stack([packed(x), packed.add(x, other), packed.mul(x, other)]).float()
    except (RuntimeError, AttributeError):
        return False
    right = functional.linear(x.float(), weight.float(), bias.float())
    want = torch.stack([right, right + other.float(), right * other.float()])
    return bool(torch.allclose(got, want, rtol=0.05, atol=0.1))


def _sample(*shape: int) -> Tensor:
    """Numbers between -1 and 1 that repeat nowhere. They need no generator of random ones."""
    return torch.arange(1.0, math.prod(shape) + 1).square_().sin_().view(shape)


def _reorder(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _LAYOUT_ROWS)
    return packed
