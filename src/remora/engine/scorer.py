"""Tokens and an adapter in, scores out: what proving an adapter needs of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from torch import Tensor

Result = TypeVar("Result")
PASS = 32
"""Tokens of one pass at most, which then takes about as long as a step."""


class Scorer(Protocol):
    """A model for callers of other threads than the engine's, beside the batch."""

    @property
    def vocab(self) -> int: ...

    @property
    def positions(self) -> int:
        """The most tokens of a sequence."""
        ...

    def scores(
        self,
        tokens: Sequence[int],
        adapter: Any,
        read: Callable[[Tensor], Result],
        *,
        first: int = 0,
    ) -> Iterator[Result]:
        """What ``read`` makes of the scores that may follow the tokens from number ``first`` on.

        It is called for each pass, of `PASS` tokens at most, with [tokens, vocab] in float32 on the
        CPU: in the engine's thread, whose cores another one would have to share. ``adapter`` is
        one in memory, None for the base. Raises `NotReady` when the engine is closed.
        """
        ...
