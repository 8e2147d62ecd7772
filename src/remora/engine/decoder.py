"""The decoder-only transformer: one forward pass over a batch of tokens of many sequences.

Layers are as in Llama (https://arxiv.org/abs/2302.13971); `remora.engine.families` holds what
differs between families. Linear layers that read the same input are run as one, and their
weights are packed for the machine (`remora.kernels.linear`); an adapter's part is added to each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from remora.engine.activation import Activation
from remora.engine.attention import Attention
from remora.engine.model_config import ModelConfig
from remora.engine.norm import HeadNorm, Norm
from remora.engine.rope import Rope, rotate
from remora.kernels.linear import Linear
from remora.lora.batch import LoraStep
from remora.lora.sites import Sites, SitesBuilder

_SITES_PER_LAYER = 4
_QKV, _O, _GATE_UP, _DOWN = range(_SITES_PER_LAYER)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights and switches. ``rope`` is a place in the decoder's list of ropes.

    ``mlp_norm`` is None where the MLP reads what the attention reads; ``after_attention`` and
    ``after_mlp`` are None where a block's output is added as it is.
    """

    attention_norm: Norm
    qkv: Linear
    qk_norm: HeadNorm | None
    rope: int | None
    o: Linear
    after_attention: Norm | None
    mlp_norm: Norm | None
    gate_up: Linear
    down: Linear
    after_mlp: Norm | None


class Decoder:
    """A base model's weights, ready to run; made by `remora.engine.decoder_loader`.

    ``embedding_scale`` multiplies the embeddings; ``activation`` is the whole of an MLP between
    its linear layers.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        embeddings: Tensor,
        embedding_scale: float | None,
        layers: Sequence[Layer],
        activation: Activation,
        norm: Norm,
        head: Linear,
        ropes: Sequence[Rope],
    ) -> None:
        self.config = config
        self.sites = sites_of(config)
        self._embeddings = embeddings
        self._embedding_scale = embedding_scale
        self._layers = layers
        self._activation = activation
        self._norm = norm
        self._head = head
        self._ropes = ropes

    def forward(
        self,
        tokens: Tensor,
        places: Tensor,
        attention: Attention,
        lora: LoraStep | None,
        pause: Callable[[], object] = lambda: None,
    ) -> Tensor:
        """Hidden states [rows, hidden] of tokens [rows] at places [rows] of the ropes.

        ``pause`` is called before each layer; it may run another pass.
        """
        config, heads = self.config, self.config.heads + self.config.kv_heads
        turns = [rope.at(places) for rope in self._ropes]
        x = self._embeddings[tokens] if lora is None else lora.embed(tokens, self._embeddings)
        if self._embedding_scale is not None:
            x *= self._embedding_scale
        for number, layer in enumerate(self._layers):
            pause()
            site = number * _SITES_PER_LAYER
            h = layer.attention_norm(x)
            qkv = _run(lora, site + _QKV, layer.qkv, h)
            qkv = qkv.view(len(tokens), heads + config.kv_heads, config.head_dim)
            if layer.qk_norm is not None:
                layer.qk_norm(qkv[:, :heads])
            if layer.rope is not None:
                rotate(qkv[:, :heads], *turns[layer.rope])
            queries, keys, values = torch.split(qkv, [config.heads, *[config.kv_heads] * 2], 1)
            mixed = attention(number, queries, keys, values)
            x = _onto(x, lora, site + _O, mixed, layer.o, layer.after_attention)
            if layer.mlp_norm is not None:
                h = layer.mlp_norm(x)
            h = self._activation(_run(lora, site + _GATE_UP, layer.gate_up, h))
            x = _onto(x, lora, site + _DOWN, h, layer.down, layer.after_mlp)
        return x

    def logits(self, hidden: Tensor, lora: LoraStep | None) -> Tensor:
        """Scores [rows, vocab] in float32 of the hidden states [rows, hidden] of `forward`."""
        h = self._norm(hidden)
        scores = self._head(h) if lora is None else lora.score(self.sites.head, self._head, h)
        scores, cap = scores.float(), self.config.logit_cap
        if cap is not None:
            scores.div_(cap).tanh_().mul_(cap)
        return scores if lora is None else lora.limit(scores, self.config.vocab)


def sites_of(config: ModelConfig) -> Sites:
    """The linear layers of a model that adapters may change."""
    sites = SitesBuilder()
    for layer in range(config.layers):
        for inputs, names, sizes in linear_layers(config):
            sites.add(f"model.layers.{layer}", inputs, names, sizes)
    return sites.build(
        hidden=config.hidden,
        vocab=config.vocab,
        embeddings="model.embed_tokens",
        tied=config.tied,
    )


def linear_layers(config: ModelConfig) -> list[tuple[int, Sequence[str], Sequence[int]]]:
    """A layer's sites, in the order of their numbers: inputs, names and outputs.

    One name for several outputs is a layer that the model itself has fused.
    """
    family, hidden, kv, wide = config.family, config.hidden, config.kv_size, config.intermediate
    return [
        (hidden, family.qkv, (config.q_size, kv, kv)),
        (config.q_size, (family.o,), (hidden,)),
        (hidden, family.gate_up, (wide,) * (1 + family.gated)),
        (wide, (family.down,), (hidden,)),
    ]


def _run(
    lora: LoraStep | None, site: int, linear: Linear, x: Tensor, residual: Tensor | None = None
) -> Tensor:
    """A layer's output with the adapters' part, plus the residual."""
    if lora is not None:
        return lora.run(site, linear, x, residual)
    return linear(x) if residual is None else linear.add(x, residual)


def _onto(
    x: Tensor, lora: LoraStep | None, site: int, h: Tensor, linear: Linear, norm: Norm | None
) -> Tensor:
    """``x`` plus a block's output, which its last linear layer makes of ``h``."""
    if norm is None:
        return _run(lora, site, linear, h, x)
    return x + norm(_run(lora, site, linear, h))
