"""Tiny models that Remora's own decoder does not run, with adapters for those that are served.

Importing this takes seconds, for it imports transformers and PEFT; fixtures do.
"""

from __future__ import annotations

import peft
import transformers

SHAPES = {
    "vocab_size": 300,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "eos_token_id": 299,
    "pad_token_id": None,
}
CONFIGS: dict[str, transformers.PretrainedConfig] = {
    "gpt2": transformers.GPT2Config(**SHAPES),
    "neox": transformers.GPTNeoXConfig(**SHAPES, intermediate_size=96, tie_word_embeddings=False),
    "opt": transformers.OPTConfig(**SHAPES, ffn_dim=96, word_embed_proj_dim=64),
    "mixtral": transformers.MixtralConfig(
        **SHAPES,
        intermediate_size=48,
        num_key_value_heads=2,
        num_local_experts=4,
        sliding_window=24,
    ),
    "mamba": transformers.MambaConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=2, eos_token_id=299
    ),
}
# Per family: all layers, some of them, and what only PEFT itself computes.
ADAPTERS: dict[str, dict[str, peft.LoraConfig]] = {
    "gpt2": {
        "all": peft.LoraConfig(
            r=8, lora_alpha=32, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True
        ),
        "some": peft.LoraConfig(r=4, lora_alpha=32, target_modules=["c_attn"], fan_in_fan_out=True),
        "own": peft.LoraConfig(
            r=6, target_modules=["c_fc"], fan_in_fan_out=True, use_dora=True, use_rslora=True
        ),
    },
    "neox": {
        "all": peft.LoraConfig(r=8, lora_alpha=32, target_modules="all-linear"),
        "some": peft.LoraConfig(
            r=4, lora_alpha=32, target_modules=["query_key_value"], use_rslora=True
        ),
        "own": peft.LoraConfig(
            r=6,
            target_modules=["dense", "dense_h_to_4h"],
            use_dora=True,
            modules_to_save=["lm_head"],
        ),
    },
    "opt": {
        "all": peft.LoraConfig(r=8, lora_alpha=32, target_modules="all-linear"),
        "some": peft.LoraConfig(r=4, lora_alpha=32, target_modules=["q_proj", "v_proj"]),
        "own": peft.LoraConfig(
            r=6, target_modules=["fc1", "fc2", "lm_head"], rank_pattern={"fc2": 3}
        ),
    },
    "mixtral": {
        "all": peft.LoraConfig(
            r=8, lora_alpha=32, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]
        ),
        "some": peft.LoraConfig(r=4, lora_alpha=32, target_modules=["q_proj", "v_proj"]),
        "own": peft.LoraConfig(
            r=4,
            target_modules=["o_proj"],
            target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
        ),
    },
}
