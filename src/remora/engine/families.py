"""The model families that Remora's own decoder runs, as rows of switches.

A family is a name of ``architectures`` in Hugging Face's ``config.json``. Everything that two
families do alike is in the decoder; what differs stands here or is read from the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """How one architecture departs from Llama's.

    ``qkv_bias``, ``o_bias``, ``mlp_bias``: True, or the key of ``config.json`` that decides.
    ``qk_norm``: an RMS norm over each head of queries and keys (Qwen3).
    ``window``: the attention looks back at most ``sliding_window`` tokens, unless
    ``use_sliding_window`` says that it doesn't; ``window_opt_in`` asks for that key to be true.
    """

    qkv_bias: bool | str = False
    o_bias: bool | str = False
    mlp_bias: bool | str = False
    qk_norm: bool = False
    window: bool = False
    window_opt_in: bool = False


FAMILIES: dict[str, Family] = {
    "LlamaForCausalLM": Family(
        qkv_bias="attention_bias", o_bias="attention_bias", mlp_bias="mlp_bias"
    ),
    "MistralForCausalLM": Family(window=True),
    "Qwen2ForCausalLM": Family(qkv_bias=True, window=True, window_opt_in=True),
    "Qwen3ForCausalLM": Family(
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm=True,
        window=True,
        window_opt_in=True,
    ),
}
