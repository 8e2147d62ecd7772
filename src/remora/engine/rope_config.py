"""What ``config.json`` says of rotary position embeddings. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remora.engine.families import Family


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """One rotary embedding: its base frequency, and how it is scaled beyond the training.

    ``dim`` is how many of a head's dimensions are rotated; ``trained`` and ``longest`` [tokens]
    are the contexts of the training and of the model as configured; ``parameters`` are those of
    the ``kind`` of scaling, in Hugging Face's names.
    """

    theta: float
    dim: int
    kind: str
    trained: int
    longest: int
    parameters: Mapping[str, Any]

    @property
    def switches_at(self) -> int | None:
        """Sequences of more tokens than this are rotated by other frequencies, all of them.

        So it is in LongRoPE (https://arxiv.org/abs/2402.13753); None in all others.
        """
        return self.trained if self.kind == "longrope" else None


def read_ropes(
    family: Family, raw: Mapping[str, Any], windows: Sequence[int | None], head_dim: int
) -> tuple[RopeConfig | None, ...]:
    """The rotary embedding of each layer, None where a layer has none.

    Raises KeyError, TypeError or ValueError for a value that is missing or makes no sense.
    """
    # transformers 5 writes rope_parameters; earlier ones rope_theta beside rope_scaling.
    given = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if family.local_rope:
        wide, local = given.get("full_attention"), given.get("sliding_attention")
        if wide is None and local is None:
            wide = given
        everywhere = _rope(raw, wide or {}, raw.get("rope_theta"), head_dim)
        near = _rope(raw, local or {}, raw.get("rope_local_base_freq"), head_dim)
        return tuple(everywhere if window is None else near for window in windows)
    rope = _rope(raw, given, raw.get("rope_theta"), head_dim)
    return tuple(rope if rotates else None for rotates in _rotating(raw, len(windows)))


def _rope(
    raw: Mapping[str, Any], given: Mapping[str, Any], theta: float | None, head_dim: int
) -> RopeConfig:
    kind = given.get("rope_type") or given.get("type") or "default"
    if kind == "su" or (kind == "yarn" and "long_factor" in given):
        kind = "longrope"  # Phi-3's first names for it.
    share = given.get("partial_rotary_factor", raw.get("partial_rotary_factor"))
    longest = int(raw["max_position_embeddings"])
    trained = int(
        raw.get("original_max_position_embeddings")
        or given.get("original_max_position_embeddings")
        or longest
    )
    if kind == "yarn" and given.get("factor"):
        # Qwen's way to turn YaRN on leaves max_position_embeddings at the context of the training.
        longest = max(longest, int(trained * float(given["factor"])))
    return RopeConfig(
        theta=float(given.get("rope_theta") or theta or 10000.0),
        dim=int(head_dim * float(1.0 if share is None else share)),
        kind=str(kind),
        trained=trained,
        longest=longest,
        parameters=dict(given),
    )


def _rotating(raw: Mapping[str, Any], layers: int) -> list[bool]:
    """Which layers have a rotary embedding; SmolLM3 leaves it out of every fourth."""
    listed = raw.get("no_rope_layers")
    if listed is not None:
        return [bool(listed[layer]) for layer in range(layers)]
    interval = raw.get("no_rope_layer_interval")
    return [not interval or (layer + 1) % int(interval) != 0 for layer in range(layers)]
