"""An adapter in memory: what it changes at each linear layer, and in the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from remora.lora.update import Update
from remora.lora.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Adapter:
    """An adapter: an update for each site that it touches, None for the others.

    ``vocabulary`` is what it changes in the embeddings and the head's rows, if anything.
    """

    updates: Sequence[Update | None]
    rank: int
    vocabulary: Vocabulary | None = None

    @cached_property
    def has_gain(self) -> bool:
        """Whether it multiplies any layer's output."""
        return any(update is not None and update.gain is not None for update in self.updates)

    def to(self, dtype: torch.dtype, device: str) -> Adapter:
        """The same for a model's dtype and device."""
        updates = [update and update.to(dtype, device) for update in self.updates]
        vocabulary = self.vocabulary and self.vocabulary.to(dtype, device)
        return Adapter(updates, self.rank, vocabulary)
