"""A base model's ``config.json``, read into the numbers that the decoder needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remora.engine.families import FAMILIES, Family
from remora.errors import ModelError, UnsupportedModel


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary position embedding: base frequency, and how it is scaled beyond training."""

    theta: float
    kind: str = "default"
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shapes and switches of a decoder-only model; sizes are in elements or tokens."""

    architecture: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_positions: int
    norm_eps: float
    rope: RopeConfig
    tied: bool
    qkv_bias: bool
    o_bias: bool
    mlp_bias: bool
    qk_norm: bool
    windows: tuple[int | None, ...]
    eos_ids: tuple[int, ...]
    dtype: str

    @property
    def q_size(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_size(self) -> int:
        return self.kv_heads * self.head_dim


def read_model_config(folder: Path) -> ModelConfig:
    """Read a Hugging Face model folder's configuration.

    Raises `ModelError` naming the file, or `UnsupportedModel` naming what isn't supported.
    """
    path = folder / "config.json"
    raw = _read_json(path)
    if raw is None:
        raise ModelError(
            f"{folder} holds no config.json",
            hint="A base model is a folder of config.json, tokenizer.json and *.safetensors.",
        )
    named = raw.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else "(none)"
    family = FAMILIES.get(architecture)
    if family is None:
        raise UnsupportedModel(
            f"{path}: Remora does not run the architecture {architecture!r}",
            hint=f"It runs {', '.join(sorted(FAMILIES))}.",
        )
    try:
        _refuse_unknown_switches(path, raw)
        return _parse(raw, architecture, family, _read_json(folder / "generation_config.json"))
    except KeyError as error:
        raise ModelError(f"{path} lacks the key {error}") from error
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ModelError(f"{path} holds a value of the wrong type: {error}") from error


def _parse(
    raw: Mapping[str, Any],
    architecture: str,
    family: Family,
    generation: Mapping[str, Any] | None,
) -> ModelConfig:
    heads, hidden = int(raw["num_attention_heads"]), int(raw["hidden_size"])
    layers = int(raw["num_hidden_layers"])
    return ModelConfig(
        architecture=architecture,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=int(raw.get("num_key_value_heads") or heads),
        head_dim=int(raw.get("head_dim") or hidden // heads),
        intermediate=int(raw["intermediate_size"]),
        vocab=int(raw["vocab_size"]),
        max_positions=int(raw["max_position_embeddings"]),
        norm_eps=float(raw.get("rms_norm_eps", 1e-6)),
        rope=_rope(raw),
        tied=bool(raw.get("tie_word_embeddings", False)),
        qkv_bias=_switch(family.qkv_bias, raw),
        o_bias=_switch(family.o_bias, raw),
        mlp_bias=_switch(family.mlp_bias, raw),
        qk_norm=family.qk_norm,
        windows=_windows(family, raw, layers),
        eos_ids=_eos_ids(raw, generation),
        dtype=str(raw.get("dtype") or raw.get("torch_dtype") or "float32"),
    )


def _switch(switch: bool | str, raw: Mapping[str, Any]) -> bool:
    return bool(raw.get(switch, False)) if isinstance(switch, str) else switch


def _rope(raw: Mapping[str, Any]) -> RopeConfig:
    # transformers 5 writes rope_parameters; earlier ones rope_theta beside rope_scaling.
    scaling = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    theta = scaling.get("rope_theta") or raw.get("rope_theta") or 10000.0
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    return RopeConfig(theta=float(theta), kind=str(kind), parameters=dict(scaling))


def _windows(family: Family, raw: Mapping[str, Any], layers: int) -> tuple[int | None, ...]:
    window = raw.get("sliding_window", 4096) if family.window else None
    if window is None or not raw.get("use_sliding_window", not family.window_opt_in):
        return (None,) * layers
    kinds = raw.get("layer_types")
    if kinds is None:
        first = int(raw.get("max_window_layers", 28)) if family.window_opt_in else 0
        kinds = ["sliding_attention" if i >= first else "full_attention" for i in range(layers)]
    return tuple(int(window) if kind == "sliding_attention" else None for kind in kinds)


def _eos_ids(raw: Mapping[str, Any], generation: Mapping[str, Any] | None) -> tuple[int, ...]:
    ids: list[int] = []
    for source in (generation or {}, raw):
        value = source.get("eos_token_id")
        ids += [value] if isinstance(value, int) else list(value or [])
    return tuple(dict.fromkeys(ids))


def _refuse_unknown_switches(path: Path, raw: Mapping[str, Any]) -> None:
    activation = raw.get("hidden_act", "silu")
    if activation not in ("silu", "swish"):
        raise UnsupportedModel(f"{path}: the activation {activation!r} is not supported")
    if raw.get("quantization_config"):
        method = raw["quantization_config"].get("quant_method", "unknown")
        raise UnsupportedModel(
            f"{path}: the weights are quantized ({method})",
            hint="Serve the unquantized base model that the quantized one was made from.",
        )


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"{path} can't be read: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: a JSON object is expected")
    return value
