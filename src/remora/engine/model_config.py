"""A base model's ``config.json``, read into the numbers that the decoder needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remora.engine.families import FAMILIES, Family
from remora.engine.rope_config import RopeConfig, read_ropes
from remora.errors import ModelError, UnsupportedModel


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shapes and switches of a decoder-only model; sizes are in elements or tokens.

    ``ropes`` and ``windows`` have an entry for each layer. ``attention_scale`` multiplies the
    products of queries and keys; ``attention_cap`` and ``logit_cap`` bound them and the logits.
    """

    architecture: str
    family: Family
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_positions: int
    norm_eps: float
    activation: str
    attention_scale: float
    attention_cap: float | None
    logit_cap: float | None
    ropes: tuple[RopeConfig | None, ...]
    tied: bool
    qkv_bias: bool
    o_bias: bool
    mlp_bias: bool
    windows: tuple[int | None, ...]
    eos_ids: tuple[int, ...]
    dtype: str

    @property
    def q_size(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_size(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def switches_at(self) -> int | None:
        """Keys of sequences of more tokens than this are others; see `RopeConfig`."""
        switches = (rope.switches_at for rope in self.ropes if rope is not None)
        return next((switch for switch in switches if switch is not None), None)


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
        raw = {**family.defaults, **raw}
        _refuse_unknown_switches(path, family, raw)
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
    head_dim = int(raw.get("head_dim") or hidden // heads)
    windows = _windows(family, raw, layers)
    ropes = read_ropes(family, raw, windows, head_dim)
    return ModelConfig(
        architecture=architecture,
        family=family,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=int(raw.get("num_key_value_heads") or heads),
        head_dim=head_dim,
        intermediate=int(raw["intermediate_size"]),
        vocab=int(raw["vocab_size"]),
        max_positions=max(
            [int(raw["max_position_embeddings"]), *(r.longest for r in ropes if r is not None)]
        ),
        norm_eps=float(
            raw.get("layer_norm_eps" if family.norm == "layer" else "rms_norm_eps", 1e-6)
        ),
        activation=str(raw.get("hidden_activation") or raw.get("hidden_act") or "silu"),
        attention_scale=float(raw.get("query_pre_attn_scalar") or head_dim) ** -0.5,
        attention_cap=_optional(raw.get("attn_logit_softcapping")),
        logit_cap=_optional(raw.get("final_logit_softcapping")),
        ropes=ropes,
        tied=bool(raw.get("tie_word_embeddings", False)),
        qkv_bias=_switch(family.qkv_bias, raw),
        o_bias=_switch(family.o_bias, raw),
        mlp_bias=_switch(family.mlp_bias, raw),
        windows=windows,
        eos_ids=_eos_ids(raw, generation),
        dtype=str(raw.get("dtype") or raw.get("torch_dtype") or "float32"),
    )


def _switch(switch: bool | str, raw: Mapping[str, Any]) -> bool:
    return bool(raw.get(switch, False)) if isinstance(switch, str) else switch


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _windows(family: Family, raw: Mapping[str, Any], layers: int) -> tuple[int | None, ...]:
    window, opt_in = raw.get("sliding_window"), family.window in ("late", "listed")
    if family.window == "none" or window is None or not raw.get("use_sliding_window", not opt_in):
        return (None,) * layers
    kinds = raw.get("layer_types")
    if kinds is not None or family.window == "listed":
        slides = [raw["layer_types"][i] == "sliding_attention" for i in range(layers)]
    elif family.window == "late":
        slides = [i >= int(raw.get("max_window_layers", 28)) for i in range(layers)]
    elif family.window == "alternating":
        slides = [(i + 1) % int(raw["sliding_window_pattern"]) != 0 for i in range(layers)]
    else:
        slides = [True] * layers
    return tuple(int(window) if slide else None for slide in slides)


def _eos_ids(raw: Mapping[str, Any], generation: Mapping[str, Any] | None) -> tuple[int, ...]:
    ids: list[int] = []
    for source in (generation or {}, raw):
        value = source.get("eos_token_id")
        ids += [value] if isinstance(value, int) else list(value or [])
    return tuple(dict.fromkeys(ids))


def _refuse_unknown_switches(path: Path, family: Family, raw: Mapping[str, Any]) -> None:
    for key in family.refused:
        if raw.get(key):
            raise UnsupportedModel(f"{path}: {key} = {raw[key]!r} is not supported")


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
