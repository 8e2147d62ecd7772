"""What stands between the two linear layers of an MLP, by its name in Hugging Face's files."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from remora.errors import UnsupportedModel

Activation = Callable[[Tensor], Tensor]


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by its approximation with a hyperbolic tangent (https://arxiv.org/abs/1606.08415)."""
    return functional.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Activation] = {
    "gelu": functional.gelu,
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "silu": functional.silu,
    "swish": functional.silu,
}


def find_activation(name: str, *, gated: bool) -> Activation:
    """[rows, wide] -> [rows, wide]; or if ``gated`` the first half activated, times the second:
    [rows, 2 * wide] -> [rows, wide].

    Raises `UnsupportedModel` for a name that is not known.
    """
    if name not in ACTIVATIONS:
        raise UnsupportedModel(f"the activation {name!r} is not supported")
    activation = ACTIVATIONS[name]

    def gate(x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return activation(first).mul_(second)

    return gate if gated else activation
