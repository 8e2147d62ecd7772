"""The decoder-only transformer: one forward pass over a batch of tokens of many sequences.

Layers are as in Llama (https://arxiv.org/abs/2302.13971); `remora.engine.families` holds what
differs between families. Linear layers that read the same input are run as one, and their
weights are packed for the machine (`remora.kernels.linear`); an adapter's part is added to each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional

from remora.engine.attention import Attention
from remora.engine.checkpoint import Checkpoint, Fetch
from remora.engine.model_config import ModelConfig
from remora.engine.rope import Rope
from remora.kernels.linear import Linear, pack
from remora.lora.batch import LoraStep
from remora.lora.sites import Part, Sites

_SITES_PER_LAYER = 4
_QKV, _O, _GATE_UP, _DOWN = range(_SITES_PER_LAYER)
_LAYERS_AHEAD = 2


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's weights. ``qk_norm`` is [1, heads + kv_heads, head_dim], or None."""

    attention_norm: Tensor
    qkv: Linear
    qk_norm: Tensor | None
    o: Linear
    mlp_norm: Tensor
    gate_up: Linear
    down: Linear


class Decoder:
    """A base model's weights, ready to run. Build one with `load_decoder`."""

    def __init__(
        self,
        config: ModelConfig,
        embeddings: Tensor,
        layers: list[_Layer],
        norm: Tensor,
        head: Linear,
        rope: Rope,
    ) -> None:
        self.config = config
        self.sites = sites_of(config)
        self._embeddings = embeddings
        self._layers = layers
        self._norm = norm
        self._head = head
        self._rope = rope

    def forward(
        self, tokens: Tensor, positions: Tensor, attention: Attention, lora: LoraStep | None
    ) -> Tensor:
        """Hidden states [rows, hidden] of tokens [rows] at positions [rows]."""
        config, heads = self.config, self.config.heads + self.config.kv_heads
        cos, sin = self._rope.at(positions)
        x = self._embeddings[tokens]
        for number, layer in enumerate(self._layers):
            site = number * _SITES_PER_LAYER
            h = self._normalise(x, layer.attention_norm)
            qkv = _adapt(lora, site + _QKV, h, layer.qkv(h))
            qkv = qkv.view(len(tokens), heads + config.kv_heads, config.head_dim)
            qk = qkv[:, :heads]
            if layer.qk_norm is not None:
                qk = functional.rms_norm(qk, qk.shape[-1:], None, config.norm_eps) * layer.qk_norm
            qkv[:, :heads] = self._rope.rotate(qk, cos, sin)
            queries, keys, values = torch.split(qkv, [config.heads, *[config.kv_heads] * 2], 1)
            mixed = attention(number, queries, keys, values)
            x = _adapt(lora, site + _O, mixed, layer.o.add(mixed, x))
            h = self._normalise(x, layer.mlp_norm)
            gate, up = _adapt(lora, site + _GATE_UP, h, layer.gate_up(h)).chunk(2, -1)
            h = functional.silu(gate).mul_(up)
            x = _adapt(lora, site + _DOWN, h, layer.down.add(h, x))
        return x

    def logits(self, hidden: Tensor, lora: LoraStep | None) -> Tensor:
        """Scores [rows, vocab] in float32 of the hidden states [rows, hidden] of `forward`."""
        h = self._normalise(hidden, self._norm)
        return _adapt(lora, len(self.sites) - 1, h, self._head(h)).float()

    def _normalise(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(x, weight.shape, weight, self.config.norm_eps)


def sites_of(config: ModelConfig) -> Sites:
    """The linear layers of a model that adapters may change."""
    hidden, q, kv, wide = config.hidden, config.q_size, config.kv_size, config.intermediate
    outputs: list[int] = []
    parts: dict[str, Part] = {}
    for layer in range(config.layers):
        for inputs, members in (
            (hidden, (("self_attn.q_proj", q), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv))),
            (q, (("self_attn.o_proj", hidden),)),
            (hidden, (("mlp.gate_proj", wide), ("mlp.up_proj", wide))),
            (wide, (("mlp.down_proj", hidden),)),
        ):
            offset = 0
            for name, size in members:
                parts[f"model.layers.{layer}.{name}"] = Part(len(outputs), offset, inputs, size)
                offset += size
            outputs.append(offset)
    parts["lm_head"] = Part(len(outputs), 0, hidden, config.vocab)
    head = "model.embed_tokens.weight" if config.tied else "lm_head.weight"
    weights = {"lm_head": head, "model.embed_tokens": "model.embed_tokens.weight"}
    return Sites([*outputs, config.vocab], parts, weights)


def load_decoder(
    config: ModelConfig,
    checkpoint: Checkpoint,
    *,
    positions: int,
    dtype: torch.dtype,
    device: str,
    on_layer: Callable[[int], None] = lambda done: None,
) -> Decoder:
    """Read and pack a model's weights, a few layers ahead of the one that is being packed.

    ``positions`` [tokens] is the context to prepare for. ``on_layer`` is told how many layers
    are done. Raises `ModelError`, before anything is read if the model's RoPE is not known.
    """

    rope = Rope(config.rope, config.head_dim, positions, dtype, device)

    def fetch(shape: tuple[int, ...], *names: str) -> Fetch:
        return checkpoint.fetch(names, shape, dtype)

    embeddings = fetch((config.vocab, config.hidden), "model.embed_tokens.weight")
    head = None
    if not config.tied and "lm_head.weight" in checkpoint:
        head = fetch((config.vocab, config.hidden), "lm_head.weight")
    norm = fetch((config.hidden,), "model.norm.weight")
    ahead: deque[dict[str, Fetch]] = deque()
    pending = iter(range(config.layers))
    layers: list[_Layer] = []
    while len(layers) < config.layers:
        for number in islice(pending, 1 + _LAYERS_AHEAD - len(ahead)):
            ahead.append(_fetch_layer(config, fetch, f"model.layers.{number}"))
        ready = {name: item.result().to(device) for name, item in ahead.popleft().items()}
        layers.append(_pack_layer(config, ready))
        on_layer(len(layers))
    table = embeddings.result().to(device)
    return Decoder(
        config,
        table,
        layers,
        norm.result().to(device),
        pack(table if head is None else head.result().to(device)),
        rope,
    )


def _adapt(lora: LoraStep | None, site: int, x: Tensor, y: Tensor) -> Tensor:
    return y if lora is None else lora.add(site, x, y)


def _fetch_layer(config: ModelConfig, fetch: Callable[..., Fetch], prefix: str) -> dict[str, Fetch]:
    hidden, q, kv, wide = config.hidden, config.q_size, config.kv_size, config.intermediate
    qkv = [f"{prefix}.self_attn.{name}_proj" for name in "qkv"]
    gate_up = [f"{prefix}.mlp.{name}_proj" for name in ("gate", "up")]
    o, down = f"{prefix}.self_attn.o_proj", f"{prefix}.mlp.down_proj"
    layer = {
        "attention_norm": fetch((hidden,), f"{prefix}.input_layernorm.weight"),
        "qkv": fetch((q + 2 * kv, hidden), *_weights(qkv)),
        "o": fetch((hidden, q), *_weights([o])),
        "mlp_norm": fetch((hidden,), f"{prefix}.post_attention_layernorm.weight"),
        "gate_up": fetch((2 * wide, hidden), *_weights(gate_up)),
        "down": fetch((hidden, wide), *_weights([down])),
    }
    if config.qkv_bias:
        layer["qkv_bias"] = fetch((q + 2 * kv,), *_biases(qkv))
    if config.o_bias:
        layer["o_bias"] = fetch((hidden,), *_biases([o]))
    if config.mlp_bias:
        layer["gate_up_bias"] = fetch((2 * wide,), *_biases(gate_up))
        layer["down_bias"] = fetch((hidden,), *_biases([down]))
    if config.qk_norm:
        for name in ("q_norm", "k_norm"):
            layer[name] = fetch((config.head_dim,), f"{prefix}.self_attn.{name}.weight")
    return layer


def _pack_layer(config: ModelConfig, ready: dict[str, Tensor]) -> _Layer:
    qk_norm = None
    if config.qk_norm:
        per_head = [ready["q_norm"]] * config.heads + [ready["k_norm"]] * config.kv_heads
        qk_norm = torch.stack(per_head).unsqueeze(0)
    return _Layer(
        attention_norm=ready["attention_norm"],
        qkv=pack(ready["qkv"], ready.get("qkv_bias")),
        qk_norm=qk_norm,
        o=pack(ready["o"], ready.get("o_bias")),
        mlp_norm=ready["mlp_norm"],
        gate_up=pack(ready["gate_up"], ready.get("gate_up_bias")),
        down=pack(ready["down"], ready.get("down_bias")),
    )


def _weights(modules: list[str]) -> list[str]:
    return [f"{module}.weight" for module in modules]


def _biases(modules: list[str]) -> list[str]:
    return [f"{module}.bias" for module in modules]
