"""Whether an adapter's numbers are numbers, and do anything: told from their bytes alone.

No array library is needed for that: of a float, little-endian, the last byte holds the sign and
the exponent's upper bits, which are all ones in NaN and infinity.
"""

from __future__ import annotations

from collections.abc import Mapping

from remora.formats.adapter_config import WEIGHTS_FILE
from remora.formats.folder import Folder
from remora.formats.safetensors_header import TensorEntry
from remora.project.checks import rules
from remora.project.checks.diagnostic import Diagnostic, several
from remora.project.checks.tensors import Layout

SAMPLE = 64 << 10
_CHUNK = 8 << 20
# Bytes of an item, the last bytes that make it worth a look at the one before, and the bits that
# must be set there: the exponent's lowest. All five of float16's are in the last byte.
_FORMATS = {
    "BF16": (2, b"\x7f\xff", 0x80),
    "F32": (4, b"\x7f\xff", 0x80),
    "F16": (2, b"\x7c\x7d\x7e\x7f\xfc\xfd\xfe\xff", 0),
}


def check_values(
    name: str,
    folder: Folder,
    header: Mapping[str, TensorEntry],
    layout: Layout,
    *,
    sample: int = SAMPLE,
) -> list[Diagnostic]:
    """Look at the first ``sample`` bytes of each tensor. Raises `OSError`.

    A matrix counts as zero only if all of it is.
    """
    broken, zero = [], []
    ups = {pair.a if pair.embedding else pair.b: pair.module for pair in layout.pairs}
    for key, entry in header.items():
        data = folder.read(WEIGHTS_FILE, entry.start, min(sample, entry.nbytes))
        if entry.dtype in _FORMATS and not is_finite(data, entry.dtype):
            broken.append(key)
        if key in ups and is_zero(data) and _rest_is_zero(folder, entry, len(data)):
            zero.append(key)
    found = []
    if broken:
        reason = f"{broken[0]!r}{several(broken)} holds NaN or infinity"
        found.append(Diagnostic(rules.NOT_FINITE, name, WEIGHTS_FILE, reason, broken[0]))
    if zero and len(zero) == len(ups) and not layout.others:
        reason = f"all {len(zero)} matrices that would change something are zero"
        found.append(Diagnostic(rules.NO_EFFECT, name, WEIGHTS_FILE, reason, zero[0]))
    elif zero:
        reason = f"{zero[0]!r}{several(zero)} is all zero; there are {len(ups)}"
        found.append(Diagnostic(rules.ZERO_B, name, WEIGHTS_FILE, reason, zero[0]))
    return found


def is_finite(data: bytes, dtype: str) -> bool:
    """Whether no item of the bytes is NaN or infinite; ``dtype`` is BF16, F16 or F32."""
    size, suspicious, low = _FORMATS[dtype]
    last = data[size - 1 :: size]
    if not any(byte in last for byte in suspicious):
        return True
    before = data[size - 2 :: size]
    return not any(
        byte in suspicious and other & low == low for byte, other in zip(last, before, strict=True)
    )


def is_zero(data: bytes) -> bool:
    """Whether all bytes are zero."""
    return data.count(0) == len(data)


def _rest_is_zero(folder: Folder, entry: TensorEntry, start: int) -> bool:
    for place in range(start, entry.nbytes, _CHUNK):
        length = min(_CHUNK, entry.nbytes - place)
        if not is_zero(folder.read(WEIGHTS_FILE, entry.start + place, length)):
            return False
    return True
