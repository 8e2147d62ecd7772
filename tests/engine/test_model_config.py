"""Configurations, in the forms in which they are found, are read as transformers reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from remora.engine.families import FAMILIES
from remora.engine.model_config import ModelConfig, read_model_config
from remora.engine.rope import Rope
from remora.errors import ModelError, UnsupportedModel

SHAPES = {
    "vocab_size": 20,
    "hidden_size": 64,
    "intermediate_size": 32,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "pad_token_id": None,
    "eos_token_id": 1,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
FACTORS = {
    "short_factor": [1.0 + pair / 9 for pair in range(8)],
    "long_factor": [2.0 + pair * pair for pair in range(8)],
}
PHI3 = {"original_max_position_embeddings": 64, "sliding_window": 100, "hidden_act": "silu"}
GEMMA = {"head_dim": 32, "query_pre_attn_scalar": 24, "sliding_window": 16}
HEAD16 = {**GEMMA, "head_dim": 16}

FOUND: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", {"rope_theta": 5e5}),
    "llama linear": ("LlamaForCausalLM", {"rope_scaling": {"type": "linear", "factor": 4.0}}),
    "llama dynamic": ("LlamaForCausalLM", {"rope_scaling": {"type": "dynamic", "factor": 4.0}}),
    "llama 3.1": ("LlamaForCausalLM", {"rope_theta": 5e5, "rope_scaling": LLAMA3}),
    "llama 3.1 new": ("LlamaForCausalLM", {"rope_parameters": {**LLAMA3, "rope_theta": 5e5}}),
    "zephyr": ("MistralForCausalLM", {"sliding_window": 40}),
    "mistral 0.2": ("MistralForCausalLM", {"sliding_window": None, "rope_theta": 1e6}),
    "qwen 2.5": ("Qwen2ForCausalLM", {"use_sliding_window": False, "sliding_window": 40}),
    "qwen 2 late": (
        "Qwen2ForCausalLM",
        {"use_sliding_window": True, "sliding_window": 40, "max_window_layers": 5},
    ),
    "qwen yarn": ("Qwen2ForCausalLM", {"rope_theta": 1e6, "rope_scaling": YARN}),
    "qwen yarn odd": (
        "Qwen3ForCausalLM",
        {
            "head_dim": 16,
            "rope_scaling": {
                **YARN,
                "beta_fast": 8.0,
                "beta_slow": 2.0,
                "mscale": 0.7,
                "mscale_all_dim": 0.9,
                "truncate": False,
            },
        },
    ),
    "phi 1.5": ("PhiForCausalLM", {}),
    "phi 2": ("PhiForCausalLM", {"partial_rotary_factor": 0.4}),
    "phi 3 4k": ("Phi3ForCausalLM", {**PHI3, "max_position_embeddings": 64}),
    "phi 3.5": ("Phi3ForCausalLM", {**PHI3, "rope_scaling": {"type": "longrope", **FACTORS}}),
    "phi 4 mini": (
        "Phi3ForCausalLM",
        {
            **PHI3,
            "partial_rotary_factor": 0.75,
            "rope_scaling": {
                "type": "longrope",
                **{key: factors[:6] for key, factors in FACTORS.items()},
            },
        },
    ),
    "smollm 3": (
        "SmolLM3ForCausalLM",
        {"use_sliding_window": False, "no_rope_layers": [1, 1, 1, 0, 1, 1, 1]},
    ),
    "smollm 3 short": ("SmolLM3ForCausalLM", {}),
    "gemma 2": (
        "Gemma2ForCausalLM",
        {**GEMMA, "attn_logit_softcapping": 9.0, "final_logit_softcapping": 7.0},
    ),
    "gemma 2 short": ("Gemma2ForCausalLM", HEAD16),
    "gemma 3": (
        "Gemma3ForCausalLM",
        {
            **GEMMA,
            "rope_theta": 1e5,
            "rope_local_base_freq": 500.0,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window_pattern": 3,
        },
    ),
    "gemma 3 short": ("Gemma3ForCausalLM", HEAD16),
}


def write(folder: Path, architecture: str, **keys: Any) -> Path:
    raw = {"architectures": [architecture], **SHAPES, **keys}
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", FOUND)
def test_transformers_reads_the_same(name: str, tmp_path: Path) -> None:
    import transformers

    architecture, keys = FOUND[name]
    ours = read_model_config(write(tmp_path, architecture, **keys))
    kind = getattr(transformers, architecture)
    model = kind(kind.config_class(**{**SHAPES, **keys})).model
    expect_layers(ours, model)
    lengths = [ours.max_positions]
    if ours.switches_at is not None:
        lengths.append(ours.switches_at)
    for length in lengths:
        expect_rotations(ours, model, length)
    assert ours.logit_cap == getattr(model.config, "final_logit_softcapping", None)
    assert ours.tied == model.config.tie_word_embeddings
    assert ours.head_dim == model.layers[0].self_attn.head_dim


def expect_layers(ours: ModelConfig, model: Any) -> None:
    by_model = getattr(model.config, "sliding_window", None)
    for number, layer in enumerate(model.layers):
        attention = layer.self_attn
        assert ours.windows[number] == getattr(attention, "sliding_window", by_model)
        assert (ours.ropes[number] is not None) == bool(getattr(attention, "use_rope", True))
        assert ours.attention_scale == pytest.approx(attention.scaling)
        assert ours.attention_cap == getattr(attention, "attn_logit_softcapping", None)


def expect_rotations(ours: ModelConfig, model: Any, length: int) -> None:
    """Those of a sequence of ``length`` tokens."""
    positions = torch.arange(length)
    switch = ours.switches_at
    places = positions if switch is None or length <= switch else positions + switch
    x = torch.zeros(1)
    for number, config in enumerate(ours.ropes):
        if config is None:
            continue
        kinds = [model.config.layer_types[number]] if ours.family.local_rope else []
        want_cos, want_sin = model.rotary_emb(x, positions[None], *kinds)
        cos, sin = Rope(config, ours.max_positions, torch.float32, "cpu").at(places)
        half = config.dim // 2
        torch.testing.assert_close(cos[:, 0], want_cos[0])
        torch.testing.assert_close(sin[:, 0, half:], want_sin[0, :, half:])
        torch.testing.assert_close(sin[:, 0, :half], -want_sin[0, :, :half])


@pytest.mark.parametrize("kind", ["su", "yarn"])
def test_the_first_names_of_longrope(kind: str, tmp_path: Path) -> None:
    first, last = (
        read_model_config(
            write(tmp_path, "Phi3ForCausalLM", **PHI3, rope_scaling={"type": name, **FACTORS})
        )
        for name in (kind, "longrope")
    )
    assert first.switches_at == last.switches_at == 64
    assert first.max_positions == last.max_positions == 256


def test_yarn_reaches_as_far_as_its_factor(tmp_path: Path) -> None:
    keys = {"max_position_embeddings": 64, "rope_scaling": YARN}
    assert read_model_config(write(tmp_path, "Qwen2ForCausalLM", **keys)).max_positions == 256


@pytest.mark.parametrize(
    ("architecture", "keys", "words"),
    [
        ("PhiForCausalLM", {"qk_layernorm": True}, "qk_layernorm"),
        ("Gemma2ForCausalLM", {**GEMMA, "use_bidirectional_attention": True}, "bidirectional"),
        ("BloomForCausalLM", {}, "BloomForCausalLM"),
    ],
)
def test_what_is_not_run_is_named(
    architecture: str, keys: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModel, match=words):
        read_model_config(write(tmp_path, architecture, **keys))


@pytest.mark.parametrize("key", ["rope_scaling", "sliding_window", "rms_norm_eps", "hidden_size"])
def test_a_value_of_the_wrong_type_is_told(key: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        read_model_config(write(tmp_path, "MistralForCausalLM", **{key: "much"}))


def test_an_unknown_scaling_is_named(tmp_path: Path) -> None:
    keys = {"rope_scaling": {"rope_type": "spiral"}}
    rope = read_model_config(write(tmp_path, "LlamaForCausalLM", **keys)).ropes[0]
    assert rope is not None
    with pytest.raises(UnsupportedModel, match="spiral"):
        Rope(rope, 10, torch.float32, "cpu")


def test_every_family_has_a_model_that_is_held_against_transformers() -> None:
    import transformers

    from tests.engine import oracle, tiny

    mapping = transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    tried = {mapping[type(config)].__name__ for config in oracle.FAMILIES.values()}
    assert tried == set(FAMILIES)
    assert set(oracle.FAMILIES) == set(tiny.FAMILIES)
