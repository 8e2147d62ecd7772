"""An adapter's weights, read from its safetensors file."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import groupby, takewhile
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from remora.formats.safetensors_header import TensorEntry, read_header

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# An adapter has hundreds of small tensors, which lie in the file as they are asked for. What is
# larger is given back to the system after each use, and touching it anew takes longer than reading.
_WINDOW_BYTES = 1 << 20


class NotFinite(ValueError):
    """The file holds NaN or infinite numbers."""


class WeightsFile:
    """The tensors of a file, whose types are those of adapters. Use as a context manager.

    It is read in large pieces, and not mapped: a file that shrinks meanwhile is an error, and not
    the end of the process. Raises `OSError`, and `BrokenHeader` where the header is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._entries = read_header(path)
        self._in_order = sorted(self._entries.values(), key=_place)
        self._file = path.open("rb", buffering=0)
        self._window = torch.empty(0, dtype=torch.uint8)
        self._start = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str) -> Tensor:
        """A tensor as it was saved, for the caller alone. Raises `OSError` and `NotFinite`."""
        entry = self._entries[name]
        if not self._start <= entry.start <= entry.stop <= self._start + len(self._window):
            self._read_from(entry)
        return self._tensor(entry.start, entry.stop, entry.dtype).view(entry.shape)

    def _read_from(self, first: TensorEntry) -> None:
        """Read a window of whole tensors, of one at least."""
        limit = first.start + _WINDOW_BYTES
        place = bisect_left(self._in_order, _place(first), key=_place)
        held = [first]
        held += takewhile(lambda entry: entry.stop <= limit, self._in_order[place + 1 :])
        # Tensors that were read before keep their own window alive.
        self._window = torch.empty(held[-1].stop - first.start, dtype=torch.uint8)
        self._start = first.start
        self._file.seek(first.start)
        buffer = self._window.numpy().data
        while buffer:
            got = self._file.readinto(buffer)
            if not got:
                raise OSError("it is shorter than its header says")
            buffer = buffer[got:]
        for dtype, run in groupby(held, lambda entry: entry.dtype):
            entries = list(run)
            if dtype in _DTYPES and not _is_finite(
                self._tensor(entries[0].start, entries[-1].stop, dtype)
            ):
                raise NotFinite

    def _tensor(self, start: int, stop: int, dtype: str) -> Tensor:
        raw = self._window[start - self._start : stop - self._start]
        wanted = _DTYPES[dtype]
        aligned = (start - self._start) % wanted.itemsize == 0
        return (raw if aligned else raw.clone()).view(wanted)


def _is_finite(tensor: Tensor) -> bool:
    """Whether no number of a tensor is NaN or infinite."""
    if not tensor.numel():
        return True
    # NaN is the least and the greatest of all, and needs no mask as large as the tensor.
    least, greatest = tensor.aminmax()
    return math.isfinite(least) and math.isfinite(greatest)


def _place(entry: TensorEntry) -> tuple[int, int]:
    return entry.start, entry.stop
