"""A base model's weights, read from sharded safetensors in parallel ranges.

Each tensor is read straight into the place where it is needed (a slice of a fused matrix, say),
several ranges at once: a network share gives its full rate only to parallel readers, and a local
disk loses nothing by it.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, Self

import torch
from torch import Tensor

from remora.errors import ModelError
from remora.formats.adapter_config import adapter_digest
from remora.formats.safetensors_header import BrokenHeader, TensorEntry, read_header

_RANGE_BYTES = 16 << 20
_READERS = 8
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
# What quantized weights are made of.
_INTEGERS = {"U8": torch.uint8, "I8": torch.int8, "I32": torch.int32, "I64": torch.int64}


class Weights(Protocol):
    """Where a decoder's weights come from."""

    def __contains__(self, name: str) -> bool: ...

    def fetch(self, names: Sequence[str], shape: tuple[int, ...], dtype: torch.dtype) -> Fetch:
        """Start to read tensors, stacked along their first dimension to one of ``shape``.

        Raises `ModelError` if one is missing or if their shapes don't add up.
        """
        ...

    def read(self, name: str) -> Tensor:
        """One tensor in the dtype in which it was saved. Raises `ModelError`."""
        ...


class Checkpoint:
    """The tensors of a model folder, by name. Use as a context manager; it owns threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tensors = dict(_tensors(folder))
        self._readers = ThreadPoolExecutor(_READERS, "remora-read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.shutdown(cancel_futures=True)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def layout(self) -> str:
        """Names, types, shapes and places of all tensors, in order: what identifies the files."""
        return "\n".join(
            f"{name} {path.name} {entry.dtype} {entry.shape} {entry.start}"
            for name, (path, entry) in sorted(self._tensors.items())
        )

    def fetch(self, names: Sequence[str], shape: tuple[int, ...], dtype: torch.dtype) -> Fetch:
        """See `Weights.fetch`."""
        target = torch.empty(shape, dtype=dtype)
        jobs: list[Future[None]] = []
        row = 0
        for name in names:
            path, entry = self._find(name)
            if len(entry.shape) != len(shape) or entry.shape[1:] != shape[1:]:
                raise self._wrong_shape(name, entry, shape)
            part = target[row : row + entry.shape[0]]
            row += entry.shape[0]
            if row > shape[0]:
                raise self._wrong_shape(name, entry, shape)
            jobs += self._read(path, entry, part.view(-1))
        if row != shape[0]:
            raise ModelError(
                f"{self.folder}: {name!r} has {row} rows where {shape[0]} are expected"
            )
        return Fetch(target, jobs)

    def read(self, name: str) -> Tensor:
        """One tensor in the dtype in which it was saved; works after the readers have ended.

        Raises `ModelError`.
        """
        path, entry = self._find(name)
        target = torch.empty(entry.shape, dtype=_INTEGERS.get(entry.dtype) or _dtype(path, entry))
        _read_range(path, entry.start, target.dtype, target.view(-1))
        return target

    def _find(self, name: str) -> tuple[Path, TensorEntry]:
        try:
            return self._tensors[name]
        except KeyError:
            raise ModelError(
                f"{self.folder}: the weights lack {name!r}",
                hint="config.json and the safetensors files must be of the same model.",
            ) from None

    def _wrong_shape(self, name: str, entry: TensorEntry, shape: tuple[int, ...]) -> ModelError:
        return ModelError(
            f"{self.folder}: {name!r} has the shape {list(entry.shape)}, which does not fit "
            f"{list(shape)} as config.json has it"
        )

    def _read(self, path: Path, entry: TensorEntry, target: Tensor) -> list[Future[None]]:
        saved = _dtype(path, entry)
        items = _RANGE_BYTES // saved.itemsize
        return [
            self._readers.submit(
                _read_range,
                path,
                entry.start + first * saved.itemsize,
                saved,
                target[first : first + items],
            )
            for first in range(0, target.numel(), items)
        ]


def merged_digest(base: str, adapter: Path) -> str:
    """Digest of a model and of the adapter's folder that was merged into it."""
    return hashlib.sha256(f"{base} {adapter_digest(adapter)}".encode()).hexdigest()


def base_digest(folder: Path, checkpoint: Checkpoint) -> str:
    """What identifies a base model (hex): its configuration, its tensors' names and shapes."""
    total = hashlib.sha256((folder / "config.json").read_bytes())
    total.update(checkpoint.layout().encode())
    return total.hexdigest()


class Fetch:
    """A tensor that is being read."""

    def __init__(
        self,
        target: Tensor,
        jobs: Sequence[Future[None]] = (),
        finish: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        self._target = target
        self._jobs = jobs
        self._finish = finish

    def then(self, finish: Callable[[Tensor], Tensor]) -> Fetch:
        """The same tensor, with a last step when it has been read."""
        return Fetch(self._target, self._jobs, lambda tensor: finish(self._finish(tensor)))

    def result(self) -> Tensor:
        """Wait for the last range. Raises `ModelError` if the file can't be read."""
        for job in self._jobs:
            job.result()
        return self._finish(self._target)


def _tensors(folder: Path) -> Iterable[tuple[str, tuple[Path, TensorEntry]]]:
    for path in _shards(folder):
        try:
            for name, entry in read_header(path).items():
                yield name, (path, entry)
        except BrokenHeader as error:
            raise ModelError(str(error), hint="Copy or download the file again.") from error
        except OSError as error:
            raise ModelError(f"{path} can't be read: {error.strerror}") from error


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            outside = any(Path(name).name != name or "\0" in name for name in files)
        except (
            OSError,
            ValueError,
            LookupError,
            AttributeError,
            TypeError,
            RecursionError,
        ) as error:
            raise ModelError(f"{index} can't be read: {error!r}") from error
        if outside:
            raise ModelError(f"{index} names files outside of its folder")
        return [folder / name for name in sorted(files)]
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise ModelError(
            f"{folder} holds no *.safetensors",
            hint="Remora reads safetensors only; save the model with safe_serialization=True.",
        )
    return found


def _dtype(path: Path, entry: TensorEntry) -> torch.dtype:
    if entry.dtype not in _DTYPES:
        raise ModelError(f"{path}: weights of type {entry.dtype} are not supported")
    return _DTYPES[entry.dtype]


def _read_range(path: Path, start: int, saved: torch.dtype, target: Tensor) -> None:
    raw = target if saved == target.dtype else torch.empty(target.numel(), dtype=saved)
    buffer = memoryview((ctypes.c_char * raw.nbytes).from_address(raw.data_ptr())).cast("B")
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while buffer:
                got = file.readinto(buffer)
                if not got:
                    raise ModelError(f"{path} ends too early; it is truncated")
                buffer = buffer[got:]
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}") from error
    if raw is not target:
        target.copy_(raw)
