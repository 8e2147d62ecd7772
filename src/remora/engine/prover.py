"""Proves an adapter before it is served: it must change what the base says, and make sense."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remora.engine.replay import replay
from remora.engine.scorer import Scorer
from remora.engine.tokenizer_pool import TokenizerPool
from remora.errors import AdapterBroken, ModelError
from remora.lora.probe import ProbeResult

logger = logging.getLogger(__name__)

PROMPT = "The sea is deep, and 2 + 3 = 5."
_PROMPT_TOKENS = 4


class Prover:
    """Compares adapters with their base. For threads that are not the engine's."""

    def __init__(self, scorer: Scorer, tokenizers: TokenizerPool) -> None:
        self._scorer = scorer
        self._tokenizers = tokenizers
        self._prompt = tokenizers.base.encode(PROMPT, add_special_tokens=True)[:_PROMPT_TOKENS]
        self._digest = hashlib.sha256(" ".join(map(str, self._prompt)).encode()).hexdigest()
        self._lock = threading.Lock()
        self._base: Tensor | None = None

    @torch.inference_mode()
    def prove(self, adapter: Any, folder: Path) -> ProbeResult:
        """What the adapter does, measured; ``folder`` may hold a ``probe.jsonl``.

        Raises `AdapterBroken` if it does nothing, yields scores that are not finite, or not what
        its ``probe.jsonl`` says.
        """
        base, own = self.base_scores(), self._scores(adapter)
        if not own.isfinite().all():
            raise AdapterBroken(
                f"{folder}: with this adapter the model's scores are NaN or infinite",
                hint="The training diverged, or its weights overflow in this dtype; try bfloat16.",
            )
        vocabulary = adapter.vocabulary
        width = min(base.shape[-1], base.shape[-1] if vocabulary is None else vocabulary.writable)
        difference = float((own[:, :width] - base[:, :width]).abs().max())
        # Trained tokens need not be among those of the prompt.
        if difference == 0 and vocabulary is None:
            raise AdapterBroken(
                f"{folder}: this adapter has no effect; every score is the base model's",
                hint="Its lora_B is zero, as before training: save the trained weights.",
            )
        result, warnings = replay(folder, adapter, self._scorer, self._tokenizers.of(folder))
        for warning in warnings:
            logger.warning("%s", warning)
        divergence = _divergence(base[:, :width], own[:, :width])
        return ProbeResult(self._digest, difference, divergence, result, warnings)

    @torch.inference_mode()
    def base_scores(self) -> Tensor:
        """What adapters are compared with, [tokens, vocab]; computed once, and better before the
        first of them is read. Raises `ModelError` if the scores are not finite."""
        with self._lock:
            if self._base is None:
                scores = self._scores(None)
                if not scores.isfinite().all():
                    raise ModelError(
                        "the base model's own scores are NaN or infinite",
                        hint="Serve it in another dtype: bfloat16 or float32.",
                    )
                self._base = scores
            return self._base

    def _scores(self, adapter: Any) -> Tensor:
        return torch.cat(list(self._scorer.scores(self._prompt, adapter)))


def _divergence(base: Tensor, own: Tensor) -> float:
    """KL(base || own) in nats, mean over the rows of scores."""
    p, q = base.log_softmax(-1), own.log_softmax(-1)
    return max(float((p.exp() * (p - q)).sum(-1).mean()), 0.0)
