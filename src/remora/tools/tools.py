"""The functions that a model may call, as a request names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Tools:
    """``definitions`` are OpenAI's: ``{"type": "function", "function": {…}}``.

    ``choice`` tells whether the model may or must call one; ``only`` names the one that it must.
    Without ``parallel`` it calls one at most.
    """

    definitions: Sequence[Mapping[str, Any]]
    choice: Literal["auto", "required"] = "auto"
    only: str | None = None
    parallel: bool = True

    @property
    def functions(self) -> list[Mapping[str, Any]]:
        """The functions that may be called."""
        functions = [definition["function"] for definition in self.definitions]
        return [function for function in functions if self.only in {None, function["name"]}]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(function["name"] for function in self.functions)

    @property
    def is_strict(self) -> bool:
        """Whether the arguments of some function must follow its schema, whenever it is called."""
        return any(function.get("strict") for function in self.functions)
