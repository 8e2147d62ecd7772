"""Names of the tensors in ``adapter_model.safetensors``: which module, and what of it.

Some versions of PEFT left its own prefix out, or the adapter's name in; neither says anything
about the tensor. Source: PEFT's ``get_peft_model_state_dict``
(https://huggingface.co/docs/peft/developer_guides/checkpoint).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Role(StrEnum):
    """What a tensor is to its module."""

    __hash__ = str.__hash__  # An enumeration's own is many times slower, and asked for thousands.

    DOWN = "lora_A"
    UP = "lora_B"
    UP_BIAS = "lora_B's bias"
    MAGNITUDE = "lora_magnitude_vector"
    EMBEDDING_DOWN = "lora_embedding_A"
    EMBEDDING_UP = "lora_embedding_B"
    TOKENS = "trainable_tokens_delta"
    WEIGHT = "weight"
    BIAS = "bias"
    ORIGINAL = "original_module"


@dataclass(frozen=True, slots=True)
class PeftKey:
    """A module by its path, which is what PEFT matches its patterns with, and the tensor's role."""

    module: str
    role: Role


_ADAPTER = r"(?:\.[^.]+)?"
_ROLES = {
    Role.DOWN: rf"lora_A{_ADAPTER}\.weight",
    Role.UP: rf"lora_B{_ADAPTER}\.weight",
    Role.UP_BIAS: rf"lora_B{_ADAPTER}\.bias",
    Role.MAGNITUDE: rf"lora_magnitude_vector{_ADAPTER}(?:\.weight)?",
    Role.EMBEDDING_DOWN: rf"lora_embedding_A{_ADAPTER}",
    Role.EMBEDDING_UP: rf"lora_embedding_B{_ADAPTER}",
    Role.TOKENS: rf"(?:token_adapter\.)?trainable_tokens_delta{_ADAPTER}",
    Role.ORIGINAL: r"original_module\.(?:weight|bias)",
    Role.WEIGHT: rf"(?:(?:token_adapter\.)?base_layer\.|modules_to_save{_ADAPTER}\.)?weight",
    Role.BIAS: rf"(?:base_layer\.|modules_to_save{_ADAPTER}\.)?bias",
}
_NAME = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)\.(?:"
    + "|".join(f"(?P<{role.name}>{pattern})" for role, pattern in _ROLES.items())
    + ")"
)


@lru_cache(maxsize=8192)  # Checks and plans ask for the same names, and so do adapters of a recipe.
def parse_key(key: str) -> PeftKey | None:
    """What a tensor's name says; None if PEFT writes no such name for LoRA."""
    match = _NAME.fullmatch(key)
    if match is None or match.lastgroup is None:
        return None
    return PeftKey(match["module"], Role[match.lastgroup])
