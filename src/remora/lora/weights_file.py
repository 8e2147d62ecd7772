"""An adapter's weights, read from its safetensors file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from remora.formats.safetensors_header import read_header

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class WeightsFile:
    """The tensors of a file, whose types are those of adapters. Use as a context manager.

    They are read one by one, and not mapped: a file that shrinks meanwhile is an error, and not
    the end of the process. Raises `OSError`, and `BrokenHeader` where the header is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._entries = read_header(path)
        self._file = path.open("rb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str) -> Tensor:
        """A tensor as it was saved. Raises `OSError`."""
        entry = self._entries[name]
        tensor = torch.empty(entry.shape, dtype=_DTYPES[entry.dtype])
        buffer = tensor.view(-1).view(torch.uint8).numpy().data
        self._file.seek(entry.start)
        while buffer:
            got = self._file.readinto(buffer)
            if not got:
                raise OSError(f"it ends within {name!r}")
            buffer = buffer[got:]
        return tensor


def is_finite(tensor: Tensor) -> bool:
    """Whether no number of a tensor is NaN or infinite."""
    if not tensor.numel():
        return True
    # NaN is the least and the greatest of all, and needs no mask as large as the tensor.
    least, greatest = tensor.aminmax()
    return math.isfinite(least) and math.isfinite(greatest)
