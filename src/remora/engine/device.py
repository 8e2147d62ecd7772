"""Which device and which dtype serve fastest on this machine."""

from __future__ import annotations

import os
import time

import torch

from remora.engine.options import Device, Dtype
from remora.errors import ConfigError
from remora.kernels.linear import Linear, pack

_DTYPES = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
}
# Without instructions for bfloat16 a product takes several times as long as in float32; with
# them about half as long. What lies between is noise, and bfloat16 takes half the memory.
_CLEARLY = 1.5
_TIMINGS = 12


def choose_device(wanted: Device) -> str:
    """``cuda`` where there is one, else ``cpu``. Raises `ConfigError` where it is missing."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device = 'cuda' was asked for, but PyTorch sees no CUDA device",
            hint="`remora doctor` shows what PyTorch sees; device = 'auto' takes what is there.",
        )
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def choose_dtype(wanted: Dtype, device: str, saved: str) -> torch.dtype:
    """The wanted dtype, or the faster of bfloat16 and float32.

    A model that was saved in float32 is small or meant to be exact; it is served in bfloat16 all
    the same where that is faster, as its peers do. On a CPU without bfloat16 instructions float32
    is faster though it moves twice the bytes, so a short measurement decides.
    """
    if wanted != "auto":
        return _DTYPES[wanted]
    if device == "cuda":
        if saved == "float16" or not torch.cuda.is_bf16_supported():
            return torch.float16
        return torch.bfloat16
    half, full = _seconds(torch.bfloat16, torch.float32)
    return torch.float32 if full * _CLEARLY < half else torch.bfloat16


def free_memory(device: str) -> int:
    """Bytes that may still be taken on a device."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 8 << 30  # Windows and macOS do not tell through the standard library.


def _seconds(*dtypes: torch.dtype) -> list[float]:
    """The best of several timings of a decode-like product in each dtype, taken in turns."""
    layers: list[Linear] = [pack(torch.ones(1024, 512, dtype=dtype)) for dtype in dtypes]
    inputs = [torch.ones(8, 512, dtype=dtype) for dtype in dtypes]
    best = [float("inf")] * len(dtypes)
    for _ in range(_TIMINGS):
        for place, (layer, x) in enumerate(zip(layers, inputs, strict=True)):
            start = time.perf_counter()
            layer(x)
            best[place] = min(best[place], time.perf_counter() - start)
    return best
