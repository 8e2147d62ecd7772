"""Reads a decoder's weights, and packs them layer by layer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor

from remora.engine.activation import find_activation
from remora.engine.checkpoint import Fetch, Weights
from remora.engine.decoder import Decoder, Layer, linear_layers
from remora.engine.model_config import ModelConfig
from remora.engine.norm import Norm, make_head_norm, make_norm
from remora.engine.rope import Rope
from remora.kernels.linear import pack

_LAYERS_AHEAD = 2
_LINEARS = ("qkv", "o", "gate_up", "down")
"""The roles of a layer's linear layers, in the order of its sites."""


def load_decoder(
    config: ModelConfig,
    checkpoint: Weights,
    *,
    positions: int,
    dtype: torch.dtype,
    device: str,
    on_layer: Callable[[int], None] = lambda done: None,
) -> Decoder:
    """Read and pack a model's weights, a few layers ahead of the one that is being packed.

    ``positions`` [tokens] is the context to prepare for. ``on_layer`` is told how many layers
    are done. Raises `ModelError`, before anything is read if the model's RoPE or activation is
    not known.
    """
    activation = find_activation(config.activation, gated=config.family.gated)
    kinds = [rope for n, rope in enumerate(config.ropes) if rope and rope not in config.ropes[:n]]
    ropes = [Rope(kind, positions, dtype, device) for kind in kinds]

    def fetch(shape: tuple[int, ...], *names: str) -> Fetch:
        return checkpoint.fetch(names, shape, dtype)

    def ready(fetched: dict[str, Fetch]) -> dict[str, Tensor]:
        return {name: item.result().to(device) for name, item in fetched.items()}

    ends = _fetch_ends(config, checkpoint, fetch)
    ahead: deque[dict[str, Fetch]] = deque()
    pending = iter(range(config.layers))
    layers: list[Layer] = []
    while len(layers) < config.layers:
        for number in islice(pending, 1 + _LAYERS_AHEAD - len(ahead)):
            ahead.append(_fetch_layer(config, fetch, f"model.layers.{number}."))
        rope = config.ropes[len(layers)]
        place = None if rope is None else kinds.index(rope)
        layers.append(_pack_layer(config, ready(ahead.popleft()), place))
        on_layer(len(layers))
    tensors = ready(ends)
    embeddings = tensors["embeddings"]
    # Rounded as the embeddings are, for so the model was trained.
    scale = float(torch.tensor(config.hidden**0.5, dtype=dtype))
    return Decoder(
        config,
        embeddings=embeddings,
        embedding_scale=scale if config.family.scaled_embeddings else None,
        layers=layers,
        activation=activation,
        norm=_norm(config, tensors, "norm"),
        head=pack(tensors.get("head", embeddings), tensors.get("head.bias")),
        ropes=ropes,
    )


def _fetch_ends(
    config: ModelConfig, checkpoint: Weights, fetch: Callable[..., Fetch]
) -> dict[str, Fetch]:
    """What stands before and after the layers."""
    table = (config.vocab, config.hidden)
    ends = {"embeddings": fetch(table, "model.embed_tokens.weight")}
    if not config.tied and "lm_head.weight" in checkpoint:
        ends["head"] = fetch(table, "lm_head.weight")
    if config.family.head_bias:
        ends["head.bias"] = fetch((config.vocab,), "lm_head.bias")
    return ends | _fetch_norm(config, fetch, "norm", f"model.{config.family.final_norm}")


def _fetch_layer(config: ModelConfig, fetch: Callable[..., Fetch], prefix: str) -> dict[str, Fetch]:
    family = config.family
    layer: dict[str, Fetch] = {}
    biases = (config.qkv_bias, config.o_bias, config.mlp_bias, config.mlp_bias)
    sites = linear_layers(config)
    for role, bias, (inputs, members, sizes) in zip(_LINEARS, biases, sites, strict=True):
        names, outputs = [prefix + name for name in members], sum(sizes)
        layer[role] = fetch((outputs, inputs), *(f"{name}.weight" for name in names))
        if bias:
            layer[f"{role}.bias"] = fetch((outputs,), *(f"{name}.bias" for name in names))
    for role, name in (
        ("attention_norm", "input_layernorm"),
        ("after_attention", family.after_attention),
        ("mlp_norm", family.mlp_norm),
        ("after_mlp", family.after_mlp),
    ):
        if name is not None:
            layer |= _fetch_norm(config, fetch, role, prefix + name)
    if family.qk_norm:
        for name in ("q_norm", "k_norm"):
            layer[name] = fetch((config.head_dim,), f"{prefix}self_attn.{name}.weight")
    return layer


def _fetch_norm(
    config: ModelConfig, fetch: Callable[..., Fetch], role: str, name: str
) -> dict[str, Fetch]:
    norm = {role: fetch((config.hidden,), f"{name}.weight")}
    if config.family.norm == "layer":
        norm[f"{role}.bias"] = fetch((config.hidden,), f"{name}.bias")
    return norm


def _pack_layer(config: ModelConfig, ready: dict[str, Tensor], rope: int | None) -> Layer:
    qkv, o, gate_up, down = (pack(ready[role], ready.get(f"{role}.bias")) for role in _LINEARS)
    qk_norm = None
    if config.family.qk_norm:
        per_head = [ready["q_norm"]] * config.heads + [ready["k_norm"]] * config.kv_heads
        qk_norm = make_head_norm(config.family.norm, torch.stack(per_head)[None], config.norm_eps)
    optional = {
        role: _norm(config, ready, role) if role in ready else None
        for role in ("after_attention", "mlp_norm", "after_mlp")
    }
    return Layer(
        attention_norm=_norm(config, ready, "attention_norm"),
        qkv=qkv,
        qk_norm=qk_norm,
        rope=rope,
        o=o,
        gate_up=gate_up,
        down=down,
        **optional,
    )


def _norm(config: ModelConfig, ready: dict[str, Tensor], role: str) -> Norm:
    bias = ready.get(f"{role}.bias")
    return make_norm(config.family.norm, ready[role], bias, config.norm_eps)
