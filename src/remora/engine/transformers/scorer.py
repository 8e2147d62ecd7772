"""Scores of one token sequence at a time by a model of transformers, beside the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from remora.engine.errands import Errands
from remora.engine.scorer import PASS, Result
from remora.engine.transformers.adapters import PeftAdapter
from remora.engine.transformers.model import CausalModel


class TransformersScorer:
    """A `remora.engine.scorer.Scorer`: each pass is an errand of the engine's."""

    def __init__(self, model: CausalModel, errands: Errands) -> None:
        self._model = model
        self._errands = errands

    @property
    def vocab(self) -> int:
        return self._model.vocab

    @property
    def positions(self) -> int:
        return self._model.max_positions

    def scores(
        self,
        tokens: Sequence[int],
        adapter: PeftAdapter | None,
        read: Callable[[Tensor], Result],
        *,
        first: int = 0,
    ) -> Iterator[Result]:
        """See `remora.engine.scorer.Scorer.scores`."""
        cache = self._model.new_cache()
        for begin in range(0, len(tokens), PASS):
            piece = tokens[begin : begin + PASS]
            skip = min(max(first - begin, 0), len(piece))
            yield self._errands.call(partial(self._pass, piece, skip, cache, adapter, read))

    @torch.inference_mode()
    def _pass(
        self,
        tokens: Sequence[int],
        skip: int,
        cache: Any,
        adapter: PeftAdapter | None,
        read: Callable[[Tensor], Result],
    ) -> Result:
        scores = self._model.forward(tokens, cache, adapter, keep=len(tokens)).cpu()
        return read(scores[skip:])
