"""The header of a safetensors file: names, types, shapes and byte ranges, without the data.

Format: 8 bytes little-endian length, that many bytes of JSON, then the data
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from remora.formats.folder import Folder, LocalFolder

_MAX_HEADER = 100_000_000
_LARGEST_KEPT = 1 << 20
_ITEM_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


class BrokenHeader(ValueError):
    """The file is not a sound safetensors file; the message says why."""


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor: its dtype in safetensors' words, and where its bytes are in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def nbytes(self) -> int:
        return self.stop - self.start


def read_header(path: Path) -> dict[str, TensorEntry]:
    """The header of a file on this machine; see `header_of`."""
    return header_of(LocalFolder(path.parent), path.name)


def header_of(folder: Folder, name: str) -> dict[str, TensorEntry]:
    """The tensors of a file, with ``start`` and ``stop`` counted from the file's first byte.

    Raises `OSError`, and `BrokenHeader` where the header is damaged, a tensor is not as long as
    its type and shape say or not within the file, or a byte belongs to two tensors or to none.
    """
    place, size = folder.place(name), folder.size(name)
    prefix = folder.read(name, 0, 8)
    if len(prefix) < 8:
        raise BrokenHeader(f"{place}: {size} bytes is too short for a safetensors file")
    length = int.from_bytes(prefix, "little")
    if length > min(_MAX_HEADER, size - 8):
        raise BrokenHeader(
            f"{place}: the header claims {length} bytes, the file has {size}; "
            "it is truncated, or not a safetensors file"
        )
    raw = folder.read(name, 8, length)
    parse = _parse if length <= _LARGEST_KEPT else _parse.__wrapped__
    try:
        return dict(parse(raw, size))
    except BrokenHeader as error:
        raise BrokenHeader(f"{place}: {error}") from error


@lru_cache(maxsize=16)
def _parse(raw: bytes, size: int) -> Mapping[str, TensorEntry]:
    """The entries of a header in a file of ``size`` bytes. Adapters of one training recipe have
    equal headers, and there may be a thousand of them."""
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BrokenHeader(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise BrokenHeader("the header is not a JSON object")
    start = 8 + len(raw)
    entries = {
        name: _entry(name, value, offset=start, size=size)
        for name, value in header.items()
        if name != "__metadata__"
    }
    _check_cover(entries, start=start, stop=size)
    return entries


def _check_cover(entries: Mapping[str, TensorEntry], *, start: int, stop: int) -> None:
    """Every byte of the data belongs to one tensor, as the format demands."""
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != start:
            kind = "overlaps another tensor" if entry.start < start else "leaves a gap before it"
            raise BrokenHeader(f"{name!r} {kind}")
        start = entry.stop
    if start != stop:
        raise BrokenHeader(f"{stop - start} bytes at the end belong to no tensor")


def _entry(name: str, value: Any, *, offset: int, size: int) -> TensorEntry:
    try:
        dtype, shape = str(value["dtype"]), tuple(int(n) for n in value["shape"])
        start, stop = (int(n) for n in value["data_offsets"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BrokenHeader(f"the entry of {name!r} is malformed") from error
    if dtype not in _ITEM_BITS:
        raise BrokenHeader(f"{name!r} has the unknown dtype {dtype!r}")
    entry = TensorEntry(dtype, shape, offset + start, offset + stop)
    if min(shape, default=0) < 0 or entry.nbytes * 8 != math.prod(shape) * _ITEM_BITS[dtype]:
        raise BrokenHeader(f"{name!r} has {entry.nbytes} bytes for {dtype} {list(shape)}")
    if start < 0 or entry.stop > size:
        raise BrokenHeader(f"{name!r} ends at byte {entry.stop} of {size}; truncated?")
    return entry
