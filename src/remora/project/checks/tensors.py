"""Whether an adapter's tensors belong to the base model's layers, and fit them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from remora.formats.adapter_config import WEIGHTS_FILE, AdapterConfig
from remora.formats.peft_keys import Role, parse_key
from remora.formats.safetensors_header import TensorEntry
from remora.project.checks import rules
from remora.project.checks.base import Base, layer_of
from remora.project.checks.diagnostic import Diagnostic, several
from remora.project.checks.modules import Modules
from remora.project.checks.rules import Rule

_OTHERS = (
    Role.MAGNITUDE,
    Role.UP_BIAS,
    Role.BIAS,
    Role.WEIGHT,
    Role.TOKENS,
    Role.ORIGINAL,
)
_TABLES = ("embed_tokens", "wte", "lm_head")
_PAIRS = ((Role.DOWN, Role.UP), (Role.EMBEDDING_DOWN, Role.EMBEDDING_UP))


@dataclass(frozen=True, slots=True)
class Pair:
    """The names of one module's two LoRA matrices; ``size`` is the layer's ``(out, in)``."""

    module: str
    a: str
    b: str
    size: tuple[int, int] | None
    embedding: bool


@dataclass(slots=True)
class Layout:
    """An adapter's tensors, sorted by what they are. ``others`` change the model besides pairs;
    ``rows`` counts the tokens of its own embeddings or head, if it brings any."""

    pairs: list[Pair] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    rows: int | None = None
    problems: dict[Rule, list[tuple[str, str]]] = field(default_factory=dict)

    def blame(self, rule: Rule, key: str, reason: str) -> None:
        self.problems.setdefault(rule, []).append((key, reason))


def check_tensors(
    name: str,
    base: Base,
    config: AdapterConfig,
    header: Mapping[str, TensorEntry],
    *,
    max_rank: int,
) -> tuple[Layout, list[Diagnostic]]:
    """Sort an adapter's tensors, and say what is wrong: one diagnostic a rule, with the first."""
    layout = Layout()
    if base.broken or base.foreign:
        return layout, []
    _sort(base, header, layout)
    for pair in layout.pairs:
        _check_pair(pair, config, header, layout, max_rank)
    if not layout.pairs and not layout.others and not layout.problems:
        layout.blame(rules.ADAPTER_WEIGHTS, "", "the file holds no LoRA weights")
    if not layout.problems:  # An adapter of another model lacks everything.
        _missing_modules(base.modules, config, layout)
    return layout, [_told(name, rule, found) for rule, found in layout.problems.items()]


def _told(name: str, rule: Rule, found: Sequence[tuple[str, str]]) -> Diagnostic:
    keys = [key for key, _ in found]
    return Diagnostic(rule, name, WEIGHTS_FILE, found[0][1] + several(keys), keys[0] or None)


def _sort(base: Base, header: Mapping[str, TensorEntry], layout: Layout) -> None:
    by_module: dict[str, dict[Role, str]] = {}
    for key, entry in header.items():
        parsed = parse_key(key)
        path = None if parsed is None else base.modules.find(parsed.module)
        if parsed is None or path is None:
            _blame_stranger(base, key, layout)
        elif parsed.role in _OTHERS:
            layout.others.append(key)
            if parsed.role is Role.WEIGHT and path.endswith(_TABLES):
                layout.rows = max(layout.rows or 0, entry.shape[0])
        else:
            by_module.setdefault(path, {})[parsed.role] = key
    for path, parts in by_module.items():
        for a, b in _PAIRS:
            if a in parts and b in parts:
                size = base.modules.size(path)
                layout.pairs.append(Pair(path, parts[a], parts[b], size, a is Role.EMBEDDING_DOWN))
            elif a in parts or b in parts:
                there, gone = (a, b) if a in parts else (b, a)
                reason = f"{path} has {there} and no {gone}"
                layout.blame(rules.MISSING_KEY, parts[there], reason)


def _blame_stranger(base: Base, key: str, layout: Layout) -> None:
    layer = layer_of(key)
    if layer is not None and base.layers is not None and layer >= base.layers:
        reason = f"it is for layer {layer}, and the base model has {base.layers} layers"
        layout.blame(rules.LAYERS, key, reason)
    else:
        reason = f"the base model has nothing that {key!r} belongs to"
        layout.blame(rules.UNEXPECTED_KEY, key, reason)


def _check_pair(
    pair: Pair,
    config: AdapterConfig,
    header: Mapping[str, TensorEntry],
    layout: Layout,
    max_rank: int,
) -> None:
    a, b = header[pair.a].shape, header[pair.b].shape
    if len(a) != 2 or len(b) != 2:
        layout.blame(rules.SHAPE, pair.a, f"{pair.module}: {list(a)} and {list(b)} are no matrices")
        return
    rank, meant = a[0], config.rank_of(pair.module)
    if rank != b[1] or rank != meant:
        reason = f"{pair.module}: A has rank {rank}, B {b[1]}, and the configuration says {meant}"
        layout.blame(rules.RANK, pair.a, reason)
    elif rank > max_rank:
        layout.blame(rules.RANK_LIMIT, pair.a, f"the rank {rank} exceeds the limit of {max_rank}")
    if pair.size is not None and not _fits(pair, a[1], b[0], config):
        outputs, inputs = pair.size
        reason = (
            f"{pair.module} takes {a[1]} numbers and gives {b[0]} in the adapter,"
            f" {inputs} and {outputs} in the base model"
        )
        layout.blame(rules.SHAPE, pair.a, reason)


def _fits(pair: Pair, inputs: int, outputs: int, config: AdapterConfig) -> bool:
    # An embedding [tokens, width] takes tokens and gives its width; more tokens come with the
    # adapter's own embeddings, and a Conv1D's weight lies the other way round.
    assert pair.size is not None
    if pair.embedding:
        return outputs == pair.size[1]
    if pair.module == "lm_head":
        return inputs == pair.size[1]
    turned = bool(config.raw.get("fan_in_fan_out"))
    return (outputs, inputs) == pair.size or (turned and (inputs, outputs) == pair.size)


def _missing_modules(modules: Modules, config: AdapterConfig, layout: Layout) -> None:
    held = {pair.module for pair in layout.pairs}
    for path in _targets(modules, config):
        if path not in held:
            layout.blame(rules.MISSING_MODULE, path, f"there are no weights for {path}")


def _targets(modules: Modules, config: AdapterConfig) -> Iterator[str]:
    """The layers that the configuration names one by one, by PEFT's rules."""
    targets = config.target_modules
    if not isinstance(targets, tuple):
        return  # A regular expression, or all-linear: made of the model that was trained.
    excluded = config.raw.get("exclude_modules") or []
    layers = _layers(config.raw.get("layers_to_transform"))
    endings = tuple(f".{target}" for target in targets)
    for path in modules.linear():
        if (
            (path.endswith(endings) or path in targets)
            and not _excluded(path, excluded)
            and (layers is None or layer_of(path) in (None, *layers))
        ):
            yield path


def _excluded(path: str, excluded: Any) -> bool:
    if isinstance(excluded, str):
        return re.fullmatch(excluded, path) is not None
    return any(path == each or path.endswith(f".{each}") for each in excluded)


def _layers(value: Any) -> set[int] | None:
    if isinstance(value, int):
        return {value}
    return set(value) if isinstance(value, list) else None
