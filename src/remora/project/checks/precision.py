"""Whether the type that an adapter was saved in survives the type that it is served in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from remora.formats.adapter_config import WEIGHTS_FILE
from remora.formats.safetensors_header import TensorEntry
from remora.project.checks import rules
from remora.project.checks.base import Base
from remora.project.checks.diagnostic import Diagnostic

_NAMES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
_DIGITS = {"BF16": 8, "F16": 11, "F32": 24}  # bits of the significand
_SMALL = "F16"  # the one type of the three that ends at 65504


def check_precision(
    name: str, base: Base, header: Mapping[str, TensorEntry], dtype: str
) -> list[Diagnostic]:
    """``dtype`` is that of the settings; `auto` is taken to keep the base model's own."""
    served = _NAMES.get(dtype) or _commonest(base.tensors)
    saved = _commonest(header)
    if served is None or saved is None or served == saved:
        return []
    trained = {saved, _commonest(base.tensors)} - {None}
    if served == _SMALL and trained - {_SMALL}:
        reason = f"it was saved as {saved}, its base model is {_commonest(base.tensors)}"
        return [Diagnostic(rules.PRECISION_RANGE, name, WEIGHTS_FILE, f"{reason}; served as F16")]
    if _DIGITS[served] < _DIGITS[saved]:
        where = "" if dtype in _NAMES else " on a machine that is fast in that"
        reason = f"it was saved as {saved}, and is rounded to {served}{where}"
        return [Diagnostic(rules.PRECISION, name, WEIGHTS_FILE, reason)]
    return []


def _commonest(tensors: Mapping[str, TensorEntry]) -> str | None:
    known = Counter(entry.dtype for entry in tensors.values() if entry.dtype in _DIGITS)
    return known.most_common(1)[0][0] if known else None
