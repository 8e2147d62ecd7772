"""A model of transformers in memory, with room for its keys and values and its adapters."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from remora.engine.assembly import cache_tokens
from remora.engine.checkpoint import Checkpoint, base_digest, merged_digest
from remora.engine.device import choose_device, choose_dtype
from remora.engine.errands import Errands
from remora.engine.kv_rows import KVRows
from remora.engine.options import EngineOptions
from remora.engine.transformers.adapters import PeftAdapter, PeftPlan, merge_adapter
from remora.engine.transformers.model import CausalModel, load_model
from remora.engine.transformers.runner import TransformersRunner
from remora.engine.transformers.scorer import TransformersScorer
from remora.errors import UnsupportedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TransformersRuntime:
    """See `remora.engine.assembly.Runtime`."""

    model: CausalModel
    rows: KVRows
    positions: int
    digest: str
    dtype: torch.dtype
    device: str
    max_rank: int

    @property
    def name(self) -> Literal["transformers"]:
        return "transformers"

    @property
    def vocab(self) -> int:
        return self.model.vocab

    def plan(self, folder: Path) -> PeftPlan:
        return self.model.adapters.plan(folder, self.max_rank)

    def load(self, plan: PeftPlan, errands: Errands) -> PeftAdapter:
        weights = self.model.adapters.read(plan)
        # Layers are put around the model's own, which no pass may see half done.
        return errands.call(lambda: self.model.adapters.add(plan, weights))

    def runner(
        self, resident: Callable[[str], PeftAdapter], run_errand: Callable[[], bool]
    ) -> TransformersRunner:
        return TransformersRunner(self.model, resident, run_errand)

    def scorer(self, errands: Errands) -> TransformersScorer:
        return TransformersScorer(self.model, errands)


def load_transformers_runtime(
    folder: Path,
    options: EngineOptions,
    on_progress: Callable[[str, float], None],
    merge: Path | None = None,
) -> TransformersRuntime:
    """Read a model that Remora's own decoder does not run, with an adapter to ``merge`` into it.

    Raises `ModelError`, `AdapterError`, or `ConfigError` for settings that this machine or model
    can't meet.
    """
    raw: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    _refuse_quantized(folder, raw)
    with Checkpoint(folder) as checkpoint:
        digest = base_digest(folder, checkpoint)
    if merge is not None:
        digest = merged_digest(digest, merge)
    device = choose_device(options.device)
    saved = str(raw.get("dtype") or raw.get("torch_dtype") or "float32")
    dtype = choose_dtype(options.dtype, device, saved)
    named = (raw.get("architectures") or [raw.get("model_type")])[0]
    on_progress(f"reading {named} into transformers, which serves it slower", 0.0)
    model = load_model(
        folder,
        dtype,
        device,
        trust_remote_code=options.trust_remote_code,
        prepare=partial(merge_adapter, merge, options.max_lora_rank) if merge else None,
    )
    logger.warning(
        "%s is a %s, which Remora's own decoder does not run: it runs on transformers' modeling"
        " code, one sequence after another, and slower",
        folder,
        named,
    )
    positions = options.context_length or model.max_positions
    if model.is_limited:
        positions = min(positions, model.max_positions)
    tokens = cache_tokens(model.bytes_per_token, options, positions, device)
    return TransformersRuntime(
        model=model,
        rows=KVRows(tokens, prefix_cache=False),
        positions=positions,
        digest=digest,
        dtype=dtype,
        device=device,
        max_rank=options.max_lora_rank,
    )


def _refuse_quantized(folder: Path, raw: dict[str, Any]) -> None:
    if raw.get("quantization_config"):
        method = raw["quantization_config"].get("quant_method", "unknown")
        raise UnsupportedModel(
            f"{folder}: the weights are quantized ({method})",
            hint="Serve the unquantized base model that the quantized one was made from.",
        )
