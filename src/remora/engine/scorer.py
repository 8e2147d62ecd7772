"""Tokens and an adapter in, scores out: what proving an adapter needs of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from torch import Tensor


class Scorer(Protocol):
    """A model for callers of other threads than the engine's, beside the batch."""

    @property
    def vocab(self) -> int: ...

    @property
    def positions(self) -> int:
        """The most tokens of a sequence."""
        ...

    def scores(self, tokens: Sequence[int], adapter: Any, *, first: int = 0) -> Iterator[Tensor]:
        """What may follow the tokens from number ``first`` on: [tokens of a pass, vocab], float32
        and on the CPU, pass by pass. ``adapter`` is one in memory, None for the base.

        Raises `NotReady` when the engine is closed.
        """
        ...
