"""A quantized base model's weights, read as the numbers that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from remora.engine.checkpoint import Checkpoint, Fetch
from remora.engine.quantized import Quantization
from remora.errors import ModelError


class DequantizedCheckpoint:
    """Reads like a `Checkpoint`."""

    def __init__(self, checkpoint: Checkpoint, quantization: Quantization) -> None:
        self._checkpoint = checkpoint
        self._quantization = quantization

    def __contains__(self, name: str) -> bool:
        return name in self._checkpoint or self._quantization.holds(name, self._checkpoint)

    def fetch(self, names: Sequence[str], shape: tuple[int, ...], dtype: torch.dtype) -> Fetch:
        """As `Checkpoint.fetch`."""
        if not any(self._quantization.holds(name, self._checkpoint) for name in names):
            return self._checkpoint.fetch(names, shape, dtype)
        return Fetch(torch.empty(0)).then(lambda _: self._stack(names, shape, dtype))

    def read(self, name: str) -> Tensor:
        """As `Checkpoint.read`; a quantized tensor is float32."""
        if self._quantization.holds(name, self._checkpoint):
            return self._quantization.weight(name, self._checkpoint)
        return self._checkpoint.read(name)

    def _stack(self, names: Sequence[str], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        stacked = torch.cat([self.read(name).to(dtype) for name in names])
        if stacked.shape != shape:
            raise ModelError(
                f"{self._checkpoint.folder}: {names[0]!r} has the shape {list(stacked.shape)}, not"
                f" {list(shape)} as config.json has it"
            )
        return stacked
