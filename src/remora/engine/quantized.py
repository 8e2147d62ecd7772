"""Weights that others have quantized, as the numbers that they stand for.

A quantized layer is several tensors in a model's files. Each format says exactly which number each
code means; that is what is computed here, once, and what runs is an ordinary layer. Sources:
bitsandbytes' ``functional.py`` (``dequantize_4bit``, ``QuantState``), AutoGPTQ's
``qlinear_cuda_old.py`` and AutoAWQ's ``packing_utils.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from remora.errors import UnsupportedModel
from remora.lora.base_tensors import BaseTensors as Tensors

_STATES = tuple(f".quant_state.bitsandbytes__{kind}" for kind in ("nf4", "fp4"))
# Where AWQ puts the eight numbers that share an integer, lowest bits first.
_AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a model's weights are quantized. ``method`` is bitsandbytes, gptq or awq.

    ``zero_offset`` is what GPTQ's first format takes from each zero point before it is packed.
    """

    method: str
    bits: int = 4
    zero_offset: int = 0

    def holds(self, name: str, tensors: Tensors) -> bool:
        """Whether the tensor of that name is quantized in a model's files."""
        if self.method == "bitsandbytes":
            return any(name + end in tensors for end in _STATES)
        return name.endswith(".weight") and _of(name, "qweight") in tensors

    def weight(self, name: str, tensors: Tensors) -> Tensor:
        """The weight [out, in] that `holds` has found, in float32."""
        if self.method == "bitsandbytes":
            return _bitsandbytes(name, tensors)
        return _awq(name, tensors) if self.method == "awq" else self._gptq(name, tensors)

    def _gptq(self, name: str, tensors: Tensors) -> Tensor:
        scales = tensors.read(_of(name, "scales")).float()
        codes = unpack(tensors.read(_of(name, "qweight")).T, self.bits).T
        zeros = unpack(tensors.read(_of(name, "qzeros")), self.bits)[:, : scales.shape[1]]
        zeros = (zeros + self.zero_offset) & ((1 << self.bits) - 1)
        if _of(name, "g_idx") in tensors:
            group = tensors.read(_of(name, "g_idx")).long()
        else:
            group = torch.arange(len(codes)) // (len(codes) // len(scales))
        return ((codes - zeros[group]) * scales[group]).T.contiguous()


def read_quantization(folder: Path) -> Quantization | None:
    """What the ``quantization_config`` in a model's config.json says, None if there is none.

    Raises `UnsupportedModel` for what can't be turned back exactly.
    """
    path = folder / "config.json"
    raw = json.loads(path.read_text(encoding="utf-8")).get("quantization_config")
    if not raw:
        return None
    method, bits = str(raw.get("quant_method", "unknown")), int(raw.get("bits") or 4)
    if method == "bitsandbytes" and raw.get("load_in_4bit"):
        return Quantization(method)
    if method == "gptq" and bits in (2, 4, 8):
        first = raw.get("checkpoint_format", "gptq") == "gptq"
        return Quantization(method, bits, zero_offset=int(first))
    if method == "awq" and bits == 4 and str(raw.get("version", "gemm")).lower() == "gemm":
        return Quantization(method)
    kind = method if method == "bitsandbytes" else f"{method}, {bits} bits"
    raise UnsupportedModel(
        f"{path}: the weights are quantized ({kind}), which can't be turned back exactly",
        hint="Serve the unquantized base model that the quantized one was made from.",
    )


def unpack(packed: Tensor, bits: int) -> Tensor:
    """Integers [rows, n] of 32 bits as the numbers in them, lowest bits first; [rows, 32n/bits]."""
    shifts = torch.arange(0, 32, bits, dtype=torch.int32)
    codes = packed[:, :, None].bitwise_right_shift(shifts) & (1 << bits) - 1
    return codes.flatten(1)


def _awq(name: str, tensors: Tensors) -> Tensor:
    order = torch.tensor(_AWQ_ORDER).argsort()

    def unpacked(part: str) -> Tensor:
        codes = unpack(tensors.read(_of(name, part)), 4)
        return codes.view(len(codes), -1, 8)[:, :, order].flatten(1)

    weight, zeros = unpacked("qweight"), unpacked("qzeros")
    scales = tensors.read(_of(name, "scales")).float()
    group = torch.arange(len(weight)) // (len(weight) // len(scales))
    return ((weight - zeros[group]) * scales[group]).T.contiguous()


def _bitsandbytes(name: str, tensors: Tensors) -> Tensor:
    state_name = next(name + end for end in _STATES if name + end in tensors)
    state = json.loads(bytes(tensors.read(state_name).tolist()))
    packed = tensors.read(name).flatten()
    codes = torch.stack([packed >> 4, packed & 15], 1).flatten().long()
    scales = tensors.read(f"{name}.absmax")
    if "nested_offset" in state:
        means = tensors.read(f"{name}.nested_quant_map")
        outer = tensors.read(f"{name}.nested_absmax")
        outer = outer.repeat_interleave(int(state["nested_blocksize"]))[: len(scales)]
        scales = means[scales.long()] * outer + state["nested_offset"]
    shape = torch.Size(state["shape"])
    values = tensors.read(f"{name}.quant_map")[codes][: shape.numel()]
    blocks = scales.repeat_interleave(int(state["blocksize"]))[: shape.numel()]
    # The library rounds to the dtype that the model was quantized from.
    dtype: torch.dtype = getattr(torch, state["dtype"])
    return (values * blocks).to(dtype).float().view(shape)


def _of(name: str, part: str) -> str:
    return f"{name.removesuffix('.weight')}.{part}"
