"""Muon (https://kellerjordan.github.io/posts/muon/) in float32.

PyTorch's own computes in bfloat16, which takes ten times as long on a processor without
instructions for it; the demo should be trained in minutes on any laptop.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

MOMENTUM = 0.95
# A quintic whose slope at zero is steep, so that five rounds suffice.
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix, about, whose singular values are all alike."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / wide.norm().clamp(min=1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return x if wide is matrix else x.T


class Muon(Optimizer):
    """For the matrices of hidden layers; steps are as large as AdamW's."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every matrix against its gradient's direction, momentum included."""
        for group in self.param_groups:
            for matrix in group["params"]:
                past = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
                past.lerp_(matrix.grad, 1 - MOMENTUM)
                update = orthogonal(matrix.grad.lerp(past, MOMENTUM))
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)
