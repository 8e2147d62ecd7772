"""The model families that Remora's own decoder runs, as rows of switches.

A family is a name of ``architectures`` in Hugging Face's ``config.json``. Everything that two
families do alike is in the decoder; what differs stands here or is read from the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

NormKind = Literal["rms", "rms_from_one", "layer"]


@dataclass(frozen=True, slots=True)
class Family:
    """How one architecture departs from Llama's.

    ``models``: what people call the models that have it.
    ``qkv``, ``o``, ``gate_up``, ``down``: Hugging Face's names of a layer's linear layers; one
    name for several is a layer that the model itself has fused. ``gated``: the MLP multiplies
    its activation by a second half.
    ``qkv_bias``, ``o_bias``, ``mlp_bias``: True, or the key of ``config.json`` that decides.
    ``norm``: its kind; see `remora.engine.norm.make_norm`.
    ``mlp_norm``: None where the MLP reads what the attention reads, and both are added at once.
    ``after_attention``, ``after_mlp``: norms of a block's output, before it is added.
    ``qk_norm``: a norm over each head of queries and keys.
    ``window``: layers that look back at most ``sliding_window`` tokens: none; all; from
    ``max_window_layers`` on, if ``use_sliding_window``; all but every n-th; or as listed in
    ``layer_types``, if ``use_sliding_window``.
    ``local_rope``: layers with a window have a RoPE of their own.
    ``defaults``: values of keys that ``config.json`` may lack.
    ``refused``: keys that ask for what the decoder does not do, unless they are false.
    """

    models: str
    qkv: tuple[str, ...] = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    o: str = "self_attn.o_proj"
    gate_up: tuple[str, ...] = ("mlp.gate_proj", "mlp.up_proj")
    down: str = "mlp.down_proj"
    gated: bool = True
    qkv_bias: bool | str = False
    o_bias: bool | str = False
    mlp_bias: bool | str = False
    head_bias: bool = False
    norm: NormKind = "rms"
    mlp_norm: str | None = "post_attention_layernorm"
    after_attention: str | None = None
    after_mlp: str | None = None
    final_norm: str = "norm"
    qk_norm: bool = False
    window: Literal["none", "all", "late", "alternating", "listed"] = "none"
    local_rope: bool = False
    scaled_embeddings: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


_GEMMA2 = Family(
    "Gemma 2",
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    norm="rms_from_one",
    mlp_norm="pre_feedforward_layernorm",
    after_attention="post_attention_layernorm",
    after_mlp="post_feedforward_layernorm",
    window="alternating",
    scaled_embeddings=True,
    defaults={
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": 256,
        "sliding_window": 4096,
        "sliding_window_pattern": 2,
        "tie_word_embeddings": True,
    },
    refused=("use_bidirectional_attention",),
)
_GEMMA3 = replace(
    _GEMMA2,
    models="Gemma 3 (1B and 270M, text)",
    qk_norm=True,
    local_rope=True,
    refused=("attn_logit_softcapping", "use_bidirectional_attention"),
    defaults={
        **_GEMMA2.defaults,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "rope_theta": 1_000_000.0,
        "sliding_window_pattern": 6,
    },
)

FAMILIES: dict[str, Family] = {
    "Gemma2ForCausalLM": _GEMMA2,
    "Gemma3ForCausalLM": _GEMMA3,
    "LlamaForCausalLM": Family(
        "Llama 2 and 3, SmolLM and SmolLM2, TinyLlama",
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        mlp_bias="mlp_bias",
    ),
    "MistralForCausalLM": Family(
        "Mistral, Zephyr", window="all", defaults={"sliding_window": 4096}
    ),
    "Phi3ForCausalLM": Family(
        "Phi-3, Phi-3.5-mini, Phi-4 and Phi-4-mini",
        qkv=("self_attn.qkv_proj",),
        gate_up=("mlp.gate_up_proj",),
        window="all",
        defaults={"original_max_position_embeddings": 4096, "rms_norm_eps": 1e-5},
    ),
    "PhiForCausalLM": Family(
        "Phi-1.5, Phi-2",
        o="self_attn.dense",
        gate_up=("mlp.fc1",),
        down="mlp.fc2",
        gated=False,
        qkv_bias=True,
        o_bias=True,
        mlp_bias=True,
        head_bias=True,
        norm="layer",
        mlp_norm=None,
        final_norm="final_layernorm",
        defaults={
            "hidden_act": "gelu_new",
            "layer_norm_eps": 1e-5,
            "partial_rotary_factor": 0.5,
        },
        refused=("qk_layernorm",),
    ),
    "Qwen2ForCausalLM": Family(
        "Qwen 2 and 2.5", qkv_bias=True, window="late", defaults={"sliding_window": 4096}
    ),
    "Qwen3ForCausalLM": Family(
        "Qwen 3",
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm=True,
        window="late",
        defaults={"sliding_window": 4096},
    ),
    "SmolLM3ForCausalLM": Family(
        "SmolLM3",
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        mlp_bias="mlp_bias",
        window="listed",
        defaults={
            "no_rope_layer_interval": 4,
            "rope_theta": 2_000_000.0,
            "tie_word_embeddings": True,
        },
    ),
}
