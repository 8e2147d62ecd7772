"""Where adapters may attach: the linear layers of a base model, as the decoder fuses them.

The decoder runs some of a model's linear layers as one (queries, keys and values, say). A site is
one such fused layer; a part is one of the model's own layers in it, known by its path in Hugging
Face's naming, which is what PEFT's files use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One of the model's linear layers: rows ``offset`` to ``offset + outputs`` of a site."""

    site: int
    offset: int
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Sites:
    """All sites of a model, by number, and all parts, by path.

    ``weights`` maps the tensors of the embeddings and the head, by path, to their names in the base
    model's files.
    """

    outputs: Sequence[int]
    parts: Mapping[str, Part]
    weights: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.outputs)
