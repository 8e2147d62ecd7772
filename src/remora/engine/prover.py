"""Proves an adapter before it is served: it must change what the base says, and make sense."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from remora.engine.replay import replay
from remora.engine.scorer import PASS, Scorer
from remora.engine.tokenizer_pool import TokenizerPool
from remora.errors import AdapterBroken, ModelError
from remora.lora.probe import ProbeResult

logger = logging.getLogger(__name__)

PROMPT = "The sea is deep, and 2 + 3 = 5."
# The second is the first that attends to another one, and each takes its time.
_FEW = 2


class Prover:
    """Compares adapters with their base. For threads that are not the engine's."""

    def __init__(self, scorer: Scorer, tokenizers: TokenizerPool) -> None:
        self._scorer = scorer
        self._tokenizers = tokenizers
        self._prompt = tokenizers.base.encode(PROMPT, add_special_tokens=True)[:PASS]
        self._lock = threading.Lock()
        self._base: Tensor | None = None

    def prove(self, adapter: Any, folder: Path) -> ProbeResult:
        """What the adapter does, measured; ``folder`` may hold a ``probe.jsonl``.

        Raises `AdapterBroken` if it does nothing, yields scores that are not finite, or not what
        its ``probe.jsonl`` says.
        """
        prompt = self._prompt[:_FEW]
        found = self._compare(prompt, self.base_scores(), adapter)
        if found.difference == 0:
            # Nothing is without effect before all that could show one was looked at.
            prompt = self._prompt
            found = self._compare(prompt, self._scores_of_base(prompt), adapter)
        if not found.is_finite:
            raise AdapterBroken(
                f"{folder}: with this adapter the model's scores are NaN or infinite",
                hint="The training diverged, or its weights overflow in this dtype; try bfloat16.",
            )
        # Trained tokens need not be among those of the prompt.
        if found.difference == 0 and adapter.vocabulary is None:
            raise AdapterBroken(
                f"{folder}: this adapter has no effect; every score is the base model's",
                hint="Its lora_B is zero, as before training: save the trained weights.",
            )
        result, warnings = replay(folder, adapter, self._scorer, self._tokenizers.of(folder))
        for warning in warnings:
            logger.warning("%s", warning)
        digest = hashlib.sha256(" ".join(map(str, prompt)).encode()).hexdigest()
        return ProbeResult(digest, found.difference, found.divergence, result, warnings)

    def base_scores(self) -> Tensor:
        """What adapters are compared with, [tokens, vocab]; computed once, and better before the
        first of them is read. Raises `ModelError` if the scores are not finite."""
        with self._lock:
            if self._base is None:
                scores = self._scores_of_base(self._prompt[:_FEW])
                if not scores.isfinite().all():
                    raise ModelError(
                        "the base model's own scores are NaN or infinite",
                        hint="Serve it in another dtype: bfloat16 or float32.",
                    )
                self._base = scores
            return self._base

    def _scores_of_base(self, prompt: Sequence[int]) -> Tensor:
        (scores,) = self._scorer.scores(prompt, None, lambda scores: scores)
        return scores

    def _compare(self, prompt: Sequence[int], base: Tensor, adapter: Any) -> _Comparison:
        vocabulary = adapter.vocabulary
        width = None if vocabulary is None else vocabulary.writable
        (found,) = self._scorer.scores(prompt, adapter, partial(_compare, base, width))
        return found


@dataclass(frozen=True, slots=True)
class _Comparison:
    """How far an adapter's scores are from the base's: the largest difference, and their
    KL(base || adapter) in nats, the mean over the tokens."""

    is_finite: bool
    difference: float
    divergence: float


def _compare(base: Tensor, writable: int | None, own: Tensor) -> _Comparison:
    """Compare scores [tokens, vocab], over the ``writable`` tokens that both models have."""
    width = min(base.shape[-1], base.shape[-1] if writable is None else writable)
    is_finite, base, own = bool(own.isfinite().all()), base[:, :width], own[:, :width]
    p, q = base.log_softmax(-1), own.log_softmax(-1)
    return _Comparison(
        is_finite,
        difference=float((own - base).abs().max()),
        divergence=max(float((p.exp() * (p - q)).sum(-1).mean()), 0.0),
    )
