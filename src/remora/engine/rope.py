"""Rotary position embeddings (https://arxiv.org/abs/2104.09864), in Hugging Face's half layout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from remora.engine.rope_config import RopeConfig
from remora.engine.scheduler import Step
from remora.errors import UnsupportedModel


class Rope:
    """Cosine and sine of every position, as tables of shape [places, 1, dim].

    The sine's first half is negated, so that a rotation is two products and a roll. A place is a
    position; of a sequence that is longer than ``config.switches_at``, it is so much more.
    """

    def __init__(self, config: RopeConfig, positions: int, dtype: torch.dtype, device: str) -> None:
        tables = [_table(inverse_frequencies(config), config.switches_at or positions)]
        if config.switches_at is not None:
            tables.append(_table(inverse_frequencies(config, long=True), positions))
        cos, sin = (torch.cat(parts).unsqueeze(1) for parts in zip(*tables, strict=True))
        self._cos = torch.cat([cos, cos], -1).to(device, dtype)
        self._sin = torch.cat([-sin, sin], -1).to(device, dtype)

    def at(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and signed sine of places [rows], each [rows, 1, dim], for `rotate`."""
        return self._cos[places], self._sin[places]


def places_of(step: Step, positions: Tensor, switches_at: int | None) -> Tensor:
    """The places of a step's tokens at positions [rows], for `Rope.at`."""
    if switches_at is None:
        return positions
    counts = torch.tensor([chunk.count for chunk in step])
    beyond = torch.tensor([switches_at if chunk.sequence.long else 0 for chunk in step])
    return positions + beyond.repeat_interleave(counts).to(positions.device)


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Rotate the first dimensions of heads [rows, heads, head_dim], as many as ``cos`` has."""
    dim = cos.shape[-1]
    part = heads[..., :dim]
    part.copy_(torch.addcmul(part * cos, part.roll(dim // 2, -1), sin))


@dataclass(frozen=True, slots=True)
class Frequencies:
    """Angle per position of each pair of dimensions, [dim / 2]; ``scale`` of cosine and sine."""

    angles: Tensor
    scale: float = 1.0


def inverse_frequencies(config: RopeConfig, *, long: bool = False) -> Frequencies:
    """The frequencies as configured; ``long``: those beyond the context of the training.

    Sources: the papers named below, and transformers' modeling_rope_utils, which names the
    parameters. Raises `UnsupportedModel` for a kind of scaling that is not known.
    """
    plain = 1.0 / config.theta ** (torch.arange(0, config.dim, 2).float() / config.dim)
    match config.kind:
        # Dynamic scaling begins beyond the configured context, where no sequence gets.
        case "default" | "dynamic":
            return Frequencies(plain)
        case "linear":
            return Frequencies(plain / float(config.parameters["factor"]))
        case "llama3":
            return Frequencies(_llama3(plain, config))
        case "yarn":
            return _yarn(plain, config)
        case "longrope":
            return _longrope(plain, config, long=long)
    raise UnsupportedModel(f"RoPE scaling of type {config.kind!r} is not supported")


def _table(frequencies: Frequencies, positions: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of positions 0, 1, …, each [positions, dim / 2]."""
    angles = torch.outer(torch.arange(positions).float(), frequencies.angles)
    return angles.cos() * frequencies.scale, angles.sin() * frequencies.scale


def _llama3(plain: Tensor, config: RopeConfig) -> Tensor:
    # Llama 3.1: long waves are slowed by the factor, short ones kept, those between blended.
    factor = float(config.parameters["factor"])
    low = float(config.parameters["low_freq_factor"])
    high = float(config.parameters["high_freq_factor"])
    turns = config.trained * plain / (2 * math.pi)
    blend = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - blend) * plain / factor + blend * plain


def _yarn(plain: Tensor, config: RopeConfig) -> Frequencies:
    # https://arxiv.org/abs/2309.00071: dimensions that turn often in the training are kept, those
    # that turn seldom are slowed by the factor, with a ramp between them.
    given = config.parameters
    factor = float(given.get("factor") or config.longest / config.trained)

    def dimension(turns: float) -> float:
        return (
            config.dim
            * math.log(config.trained / (turns * 2 * math.pi))
            / (2 * math.log(config.theta))
        )

    first = dimension(float(given.get("beta_fast") or 32))
    last = dimension(float(given.get("beta_slow") or 1))
    if given.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, config.dim - 1)
    pairs = torch.arange(config.dim // 2).float()
    slowed = ((pairs - first) / (last - first or 0.001)).clamp(0, 1)
    scale = given.get("attention_factor")
    if scale is None:
        own, all_ = given.get("mscale"), given.get("mscale_all_dim")
        scale = _mscale(factor, own) / _mscale(factor, all_) if own and all_ else _mscale(factor)
    return Frequencies(plain / factor * slowed + plain * (1 - slowed), float(scale))


def _mscale(factor: float, weight: float = 1.0) -> float:
    return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0


def _longrope(plain: Tensor, config: RopeConfig, *, long: bool) -> Frequencies:
    # https://arxiv.org/abs/2402.13753: each dimension has a factor of its own, found by search.
    given = config.parameters
    factors = torch.tensor(given["long_factor" if long else "short_factor"]).float()
    if factors.shape != plain.shape:
        raise UnsupportedModel(
            f"LongRoPE has {len(factors)} factors where {len(plain)} are expected"
        )
    factor = float(given.get("factor") or config.longest / config.trained)
    scale = given.get("attention_factor")
    if scale is None:
        scale = 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(config.trained))
    return Frequencies(plain / factors, float(scale))
