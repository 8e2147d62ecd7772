"""Rotary position embeddings (https://arxiv.org/abs/2104.09864), in Hugging Face's half layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from remora.engine.model_config import RopeConfig
from remora.errors import UnsupportedModel


class Rope:
    """Cosine and sine of every position, as tables of shape [positions, 1, head_dim].

    The sine's first half is negated, so that a rotation is two products and a roll.
    """

    def __init__(
        self, config: RopeConfig, head_dim: int, positions: int, dtype: torch.dtype, device: str
    ) -> None:
        angles = torch.outer(torch.arange(positions).float(), inverse_frequencies(config, head_dim))
        cos, sin = angles.cos(), angles.sin()
        self._half = head_dim // 2
        self._cos = torch.cat([cos, cos], 1).unsqueeze(1).to(device, dtype)
        self._sin = torch.cat([-sin, sin], 1).unsqueeze(1).to(device, dtype)

    def at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and signed sine of positions [rows], each [rows, 1, head_dim]."""
        return self._cos[positions], self._sin[positions]

    def rotate(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotate heads x [rows, heads, head_dim]."""
        return torch.addcmul(x * cos, x.roll(self._half, -1), sin)


def inverse_frequencies(config: RopeConfig, head_dim: int) -> Tensor:
    """Angle per position of each pair of dimensions, [head_dim / 2], scaled as configured."""
    exponents = torch.arange(0, head_dim, 2).float() / head_dim
    frequencies = 1.0 / config.theta**exponents
    parameters = config.parameters or {}
    match config.kind:
        case "default":
            return frequencies
        case "linear":
            return frequencies / float(parameters["factor"])
        case "llama3":
            return _llama3(frequencies, parameters)
    raise UnsupportedModel(f"RoPE scaling of type {config.kind!r} is not supported")


def _llama3(frequencies: Tensor, parameters: Mapping[str, Any]) -> Tensor:
    # Llama 3.1: long waves are slowed by the factor, short ones kept, those between blended.
    # Source: rope_type "llama3" in transformers' modeling_rope_utils.
    factor = float(parameters["factor"])
    low = float(parameters["low_freq_factor"])
    high = float(parameters["high_freq_factor"])
    trained = float(parameters["original_max_position_embeddings"])
    turns = trained * frequencies / (2 * math.pi)
    blend = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - blend) * frequencies / factor + blend * frequencies
