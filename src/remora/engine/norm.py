"""The norms of the model families, each made once for its weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from remora.engine.families import NormKind

Norm = Callable[[Tensor], Tensor]
"""[rows, hidden] -> [rows, hidden], in the dtype of its input."""

HeadNorm = Callable[[Tensor], None]
"""Normalises each head of [rows, heads, head_dim] in place."""


def make_norm(kind: NormKind, weight: Tensor, bias: Tensor | None, eps: float) -> Norm:
    """A norm with a weight [hidden], and a bias [hidden] if it is a layer norm.

    ``rms``: the root mean square (https://arxiv.org/abs/1910.07467). ``rms_from_one``: Gemma's,
    whose weight is what it has more than one, and is applied before the result is rounded.
    ``layer``: mean and variance (https://arxiv.org/abs/1607.06450).
    """
    shape = weight.shape
    if kind == "layer":
        return lambda x: functional.layer_norm(x, shape, weight, bias, eps)
    if kind == "rms":
        return lambda x: functional.rms_norm(x, shape, weight, eps)
    scale = 1 + weight.float()
    return lambda x: functional.rms_norm(x.float(), shape, scale, eps).to(x.dtype)


def make_head_norm(kind: NormKind, weight: Tensor, eps: float) -> HeadNorm:
    """A root mean square of each head, with a weight [1, heads, head_dim] as in `make_norm`."""
    assert kind != "layer", "no family has it"
    shape = weight.shape[-1:]
    scale = 1 + weight.float()

    def rms(heads: Tensor) -> None:
        torch.mul(functional.rms_norm(heads, shape, None, eps), weight, out=heads)

    def rms_from_one(heads: Tensor) -> None:
        heads.copy_(functional.rms_norm(heads.float(), shape, None, eps).mul_(scale))

    return rms if kind == "rms" else rms_from_one
