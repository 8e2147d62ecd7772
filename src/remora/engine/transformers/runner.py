"""Runs scheduled steps through a model of transformers, one sequence after another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from remora.engine.kv_rows import ClearRow, CopyRow
from remora.engine.scheduler import Chunk, Step
from remora.engine.transformers.adapters import PeftAdapter
from remora.engine.transformers.model import CausalModel


class TransformersRunner:
    """Each sequence carries a cache of its own, so that ``moves`` of a common one mean nothing.

    ``run_errand`` is called once a step, before it: errands change the model.
    """

    def __init__(
        self,
        model: CausalModel,
        resident: Callable[[str], PeftAdapter],
        run_errand: Callable[[], bool],
    ) -> None:
        self._model = model
        self._resident = resident
        self._run_errand = run_errand

    def forget(self, adapter: PeftAdapter) -> None:
        """Take an adapter that leaves memory off the model."""
        self._model.adapters.remove(adapter)

    def run(self, step: Step, moves: list[CopyRow | ClearRow]) -> Tensor:
        """See `remora.engine.engine.Runner`."""
        self._run_errand()
        return self._compute(step)

    @torch.inference_mode()
    def _compute(self, step: Step) -> Tensor:
        rows = [scores for chunk in step if (scores := self._run(chunk)) is not None]
        return torch.cat(rows) if rows else torch.empty(0, self._model.vocab)

    def _run(self, chunk: Chunk) -> Tensor | None:
        """Scores [1, vocab] after a chunk's last token, if it samples."""
        sequence, begin = chunk.sequence, chunk.sequence.computed
        if begin == 0:
            sequence.own_cache = self._model.new_cache()
        adapter = None if sequence.adapter is None else self._resident(sequence.adapter)
        tokens = sequence.tokens[begin : begin + chunk.count]
        scores = self._model.forward(tokens, sequence.own_cache, adapter, keep=1)
        return scores if chunk.samples else None
