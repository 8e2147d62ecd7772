"""What the engine asks of a grammar: which tokens may come next.

A grammar is made outside of the engine, which knows nothing of JSON schemas or regular expressions.
"""

from __future__ import annotations

from typing import Protocol

from numpy import bool_
from numpy.typing import NDArray


class Matcher(Protocol):
    """Where one generation stands in its grammar. Used by the engine's thread alone."""

    def allowed(self) -> NDArray[bool_]:
        """For each token of the tokenizer, whether it may come next: the end tokens, too."""
        ...

    def accept(self, token: int) -> None:
        """Go on by a token that was allowed."""
        ...

    @property
    def is_finished(self) -> bool:
        """Whether nothing but an end can follow."""
        ...

    @property
    def failure(self) -> str | None:
        """Why the matcher can't go on, if it can't: it has reached a limit, say."""
        ...


class Grammar(Protocol):
    """A compiled grammar, for any number of generations."""

    def matcher(self) -> Matcher:
        """A matcher at the grammar's beginning; cheap."""
        ...
