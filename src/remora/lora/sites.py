"""Where adapters may attach: the linear layers of a base model, as the decoder fuses them.

The decoder runs some of a model's linear layers as one (queries, keys and values, say). A site is
one such fused layer; a part is one of the model's own layers in it, known by its path in Hugging
Face's naming, which is what PEFT's files use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

# A layer that some families have in one piece, and others in several: adapters of one are served
# on the other.
_FUSED = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"),
}
# What wrappers of PyTorch and PEFT put into a module's path, and what a model that is a part of
# another one has before it.
_WRAPPERS = frozenset(("_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_orig_mod"))
_PREFIXES = frozenset(("base_model", "model", "module", "language_model", "text_model"))


@dataclass(frozen=True, slots=True)
class Site:
    """One linear layer as the decoder runs it: the base's ``modules``, one under the other."""

    inputs: int
    outputs: int
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the model's linear layers: rows ``offset`` to ``offset + outputs`` of a site."""

    site: int
    offset: int
    inputs: int
    outputs: int

    @property
    def rows(self) -> slice:
        return slice(self.offset, self.offset + self.outputs)


@dataclass(frozen=True)
class Sites:
    """All sites of a model, by number, and all parts, by path.

    The last site is the head, ``tied`` if its weight is that of the ``embeddings``, a path.
    """

    all: Sequence[Site]
    parts: Mapping[str, Part]
    embeddings: str
    tied: bool

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, number: int) -> Site:
        return self.all[number]

    @property
    def head(self) -> int:
        """The number of the head's site."""
        return len(self.all) - 1

    @property
    def vocab(self) -> int:
        """Tokens of the base model's vocabulary."""
        return self.all[-1].outputs

    @property
    def hidden(self) -> int:
        """Elements of an embedding."""
        return self.all[-1].inputs

    def find(self, path: str) -> str | None:
        """The model's own path of a module that an adapter names, whatever wrapped it."""
        return self._by_core.get(_core(path))

    @cached_property
    def _by_core(self) -> dict[str, str]:
        return {_core(path): path for path in (*self.parts, self.embeddings)}


class SitesBuilder:
    """Collects a model's linear layers in the order in which the decoder runs them."""

    def __init__(self) -> None:
        self._sites: list[Site] = []
        self._parts: dict[str, Part] = {}

    def add(self, prefix: str, inputs: int, names: Sequence[str], sizes: Sequence[int]) -> None:
        """Add a site of the modules ``prefix.name``, with so many outputs each.

        One name for several sizes is a module that the model itself has fused.
        """
        site, outputs = len(self._sites), sum(sizes)
        whole, pieces = _both_namings([f"{prefix}.{name}" for name in names])
        if whole is not None:
            self._parts[whole] = Part(site, 0, inputs, outputs)
        offset = 0
        if len(pieces) == len(sizes):
            for piece, size in zip(pieces, sizes, strict=True):
                self._parts[piece] = Part(site, offset, inputs, size)
                offset += size
        self._sites.append(Site(inputs, outputs, tuple(f"{prefix}.{name}" for name in names)))

    def build(self, *, hidden: int, vocab: int, embeddings: str, tied: bool) -> Sites:
        """All sites, with the head as the last."""
        head = Site(hidden, vocab, (embeddings if tied else "lm_head",))
        parts = {**self._parts, "lm_head": Part(len(self._sites), 0, hidden, vocab)}
        return Sites([*self._sites, head], parts, embeddings, tied)


def _both_namings(paths: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The path of the fused module and those of its pieces, given the one or the others."""
    folder = paths[0].rpartition(".")[0]
    names = tuple(path.rpartition(".")[2] for path in paths)
    if len(names) == 1:
        pieces = [f"{folder}.{piece}" for piece in _FUSED.get(names[0], ())]
        return paths[0], pieces or paths
    fused = next((f"{folder}.{whole}" for whole, parts in _FUSED.items() if parts == names), None)
    return fused, paths


def _core(path: str) -> str:
    names = [name for name in path.split(".") if name not in _WRAPPERS]
    while names and names[0] in _PREFIXES:
        names.pop(0)
    return ".".join(names)
