"""``uniqueString`` of Azure's template language, so that default names can be told beforehand.

The function is not specified, but it is deterministic and known: the arguments, joined by ``-``,
are hashed by the 64-bit form of MurmurHash3's 32-bit mixing steps, and the hash is written as
thirteen characters of base32. Azure says that the result never changes and has that length:
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-string#uniquestring
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_LOW, _HIGH = 0x239B961B, 0xAB0E9789
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_CHARACTERS = 13
SUFFIX_LENGTH = 5


def unique_string(*arguments: str) -> str:
    """Thirteen characters of a-z and 2-7 that depend on all of `arguments`."""
    value = hash64("-".join(arguments).encode())
    shifts = (64 - 5 * (index + 1) for index in range(_CHARACTERS))
    digits = (value >> shift if shift >= 0 else value << -shift for shift in shifts)
    return "".join(_ALPHABET[digit & 31] for digit in digits)


def name_suffix(resource_group_id: str) -> str:
    """What AI Toolkit's template, and Remora's, end the default names of resources with."""
    return unique_string(resource_group_id)[:SUFFIX_LENGTH]


def hash64(data: bytes) -> int:
    """The hash as an unsigned number of 64 bits, with seed 0."""
    low = high = 0
    whole = len(data) - len(data) % 8
    for start in range(0, whole, 8):
        low ^= _scramble(_word(data[start : start + 4]), _LOW, 15, _HIGH)
        low = (_rotate(low, 19) + high) * 5 + 0x561CCD1B & _MASK
        high ^= _scramble(_word(data[start + 4 : start + 8]), _HIGH, 17, _LOW)
        high = (_rotate(high, 13) + low) * 5 + 0x0BCAA747 & _MASK
    tail = data[whole:]
    low ^= _scramble(_word(tail[:4]), _LOW, 15, _HIGH)
    high ^= _scramble(_word(tail[4:]), _HIGH, 17, _LOW)
    low ^= len(data)
    high ^= len(data)
    low = low + high & _MASK
    high = high + low & _MASK
    low, high = _finish(low), _finish(high)
    low = low + high & _MASK
    high = high + low & _MASK
    return high << 32 | low


def _word(four: bytes) -> int:
    return int.from_bytes(four, "little")


def _scramble(word: int, first: int, bits: int, second: int) -> int:
    return _rotate(word * first & _MASK, bits) * second & _MASK


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _MASK


def _finish(word: int) -> int:
    word = (word ^ word >> 16) * 0x85EBCA6B & _MASK
    word = (word ^ word >> 13) * 0xC2B2AE35 & _MASK
    return word ^ word >> 16
