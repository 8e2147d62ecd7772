"""However an adapter's tensors are named, they find the layer that they were trained for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.formats.peft_keys import Role, parse_key
from remora.lora.sites import Part, Sites, SitesBuilder

Q, KV, WIDE, HIDDEN, VOCAB = 8, 4, 10, 6, 20
ENDS = {
    Role.DOWN: ("lora_A", ".weight"),
    Role.UP: ("lora_B", ".weight"),
    Role.UP_BIAS: ("lora_B", ".bias"),
    Role.MAGNITUDE: ("lora_magnitude_vector", ""),
    Role.EMBEDDING_DOWN: ("lora_embedding_A", ""),
    Role.EMBEDDING_UP: ("lora_embedding_B", ""),
    Role.TOKENS: ("token_adapter.trainable_tokens_delta", ""),
}
PREFIXES = (
    "", "base_model.model.", "base_model.model.model.", "base_model.model.base_model.model.",
    "module.base_model.model.", "base_model.model.model.language_model.",
)  # fmt: skip


def sites_of(*, fused: bool) -> Sites:
    sites = SitesBuilder()
    for layer in range(2):
        attention, mlp = f"model.layers.{layer}.self_attn", f"model.layers.{layer}.mlp"
        qkv = ["qkv_proj"] if fused else ["q_proj", "k_proj", "v_proj"]
        sites.add(attention, HIDDEN, qkv, (Q, KV, KV))
        sites.add(attention, Q, ["o_proj"], (HIDDEN,))
        sites.add(
            mlp, HIDDEN, ["gate_up_proj"] if fused else ["gate_proj", "up_proj"], (WIDE, WIDE)
        )
        sites.add(mlp, WIDE, ["down_proj"], (HIDDEN,))
    return sites.build(hidden=HIDDEN, vocab=VOCAB, embeddings="model.embed_tokens", tied=True)


SITES = sites_of(fused=False)
MODULES = [*SITES.parts, SITES.embeddings]


@given(
    st.sampled_from(MODULES),
    st.sampled_from(PREFIXES),
    st.sampled_from(sorted(ENDS)),
    st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True) | st.none(),
    st.sampled_from(["", "_fsdp_wrapped_module.", "_orig_mod.", "_checkpoint_wrapped_module."]),
    st.booleans(),
)
def test_a_name_finds_its_module(
    module: str, prefix: str, role: Role, adapter: str | None, wrapper: str, inner: bool
) -> None:
    start, end = ENDS[role]
    name = "" if adapter is None else f".{adapter}"
    path = module.removeprefix("model.") if prefix else module
    if inner:
        path = path.replace("self_attn.", f"self_attn.{wrapper}")
    parsed = parse_key(f"{prefix}{wrapper}{path}.{start}{name}{end}")
    assert parsed is not None
    assert parsed.role is role
    assert SITES.find(parsed.module) == module


@pytest.mark.parametrize(
    "path",
    [
        "model.layers.2.self_attn.q_proj",
        "model.vision_tower.layers.0.self_attn.q_proj",
        "model.layers.0.self_attn",
        "layers.0.mlp.q_proj",
        "score",
        "",
    ],
)
def test_what_the_model_lacks_is_not_found(path: str) -> None:
    assert SITES.find(path) is None


def test_the_patterns_of_peft_see_the_path_in_the_model() -> None:
    parsed = parse_key("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight")
    assert parsed is not None
    assert parsed.module == "model.layers.0.mlp.up_proj"


@pytest.mark.parametrize("fused", [True, False])
def test_fused_and_unfused_names_are_the_same_rows(fused: bool) -> None:
    sites = sites_of(fused=fused)
    attention, mlp = "model.layers.1.self_attn.", "model.layers.1.mlp."
    assert {name: sites.parts[attention + name] for name in ("qkv_proj", "q_proj", "v_proj")} == {
        "qkv_proj": Part(4, 0, HIDDEN, Q + 2 * KV),
        "q_proj": Part(4, 0, HIDDEN, Q),
        "v_proj": Part(4, Q + KV, HIDDEN, KV),
    }
    assert sites.parts[mlp + "up_proj"].rows == slice(WIDE, 2 * WIDE)
    assert sites.parts[mlp + "gate_up_proj"].rows == slice(0, 2 * WIDE)
    assert len(sites[4].modules) == (1 if fused else 3)


def test_two_roles_that_look_alike() -> None:
    assert parse_key("q.base_layer.weight") == parse_key("q.weight")
    assert parse_key("q.modules_to_save.default.bias") == parse_key("q.bias")
    assert parse_key("q.hada_w1_a") is None
