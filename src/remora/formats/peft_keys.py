"""Names of the tensors in ``adapter_model.safetensors``: which module, and what of it.

Source: PEFT's ``get_peft_model_state_dict``
(https://huggingface.co/docs/peft/developer_guides/checkpoint).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_KEY = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)"
    r"\.(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)"
    r"(?:\.\w+?)??(?P<kind>\.weight|\.bias)?"
)
_COPY = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)(?:\.base_layer|\.modules_to_save(?:\.\w+)?)?"
    r"\.(?P<kind>weight|bias)"
)


class Part(StrEnum):
    """What a tensor is to its module. ``COPY`` stands in the place of the base's own."""

    A = "lora_A"
    B = "lora_B"
    EMBEDDING_A = "lora_embedding_A"
    EMBEDDING_B = "lora_embedding_B"
    MAGNITUDE = "lora_magnitude_vector"
    BIAS = "bias"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class PeftKey:
    """A module by its path in the base model, and what the tensor is to it."""

    module: str
    part: Part


def parse_key(key: str) -> PeftKey | None:
    """What a tensor's name says; None if PEFT writes no such name for LoRA."""
    if match := _KEY.fullmatch(key):
        bias = match["kind"] == ".bias"
        return PeftKey(match["module"], Part.BIAS if bias else Part(match["part"]))
    if "lora_" not in key and (match := _COPY.fullmatch(key)):
        return PeftKey(match["module"], Part.BIAS if match["kind"] == "bias" else Part.COPY)
    return None
