"""A base model's weights with one adapter merged into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from remora.engine.checkpoint import Fetch, Weights
from remora.engine.model_config import ModelConfig
from remora.errors import AdapterUnsupported
from remora.lora.load import load_adapter
from remora.lora.plan import AdapterPlan
from remora.lora.sites import Part, Sites
from remora.lora.update import Update
from remora.lora.vocabulary import Vocabulary, fitted


class MergedCheckpoint:
    """Reads like a `Checkpoint`; what an adapter changes is changed in what is read.

    Products are made in float32 and rounded once. ``config`` is the merged model's: another
    vocabulary, if the adapter has one, and a head of its own, if it no longer is the embeddings.
    """

    def __init__(self, base: Weights, config: ModelConfig, sites: Sites, plan: AdapterPlan) -> None:
        """Raises `AdapterBroken`, or `AdapterUnsupported` if embeddings and head differ in size."""
        adapter = load_adapter(plan, sites, torch.float32, "cpu", base)
        self._base = base
        self._sites = sites
        self._updates = adapter.updates
        self._vocabulary = adapter.vocabulary or Vocabulary(sites.vocab, sites.vocab)
        if self._vocabulary.embedded != self._vocabulary.scored:
            raise AdapterUnsupported(
                f"{plan.folder}: its embeddings and its head differ in size; it can't be merged",
                hint="Serve it without --merge.",
            )
        own_head = adapter.vocabulary is not None or adapter.updates[sites.head] is not None
        self._untied = config.tied and own_head
        self.config = replace(
            config, vocab=self._vocabulary.embedded, tied=config.tied and not own_head
        )

    def __contains__(self, name: str) -> bool:
        return name in self._base or (name == "lm_head.weight" and self._untied)

    def fetch(self, names: Sequence[str], shape: tuple[int, ...], dtype: torch.dtype) -> Fetch:
        """As `Checkpoint.fetch`."""
        if names[0] in (f"{self._sites.embeddings}.weight", "lm_head.weight", "lm_head.bias"):
            return Fetch(self._table(names[0]).to(dtype), [])
        fetch = self._base.fetch(names, shape, torch.float32)
        return fetch.then(lambda tensor: self._merge(names, tensor).to(dtype))

    def read(self, name: str) -> Tensor:
        """As `Checkpoint.read`, unmerged."""
        return self._base.read(name)

    def _merge(self, names: Sequence[str], tensor: Tensor) -> Tensor:
        row = 0
        for name in names:
            module, _, kind = name.rpartition(".")
            part = self._sites.parts.get(module)
            if part is None:
                continue  # A norm.
            update = self._updates[part.site]
            if update is not None:
                rows = slice(row, row + part.outputs)
                tensor[rows] = _merged(update, part, kind, tensor[rows])
            row += part.outputs
        return tensor

    def _table(self, name: str) -> Tensor:
        """The embeddings, or the head's weight or bias, in float32."""
        module, _, kind = name.rpartition(".")
        vocabulary, is_head = self._vocabulary, module == "lm_head"
        tied_head = is_head and (kind == "weight") and self._untied
        saved = self._base.read(f"{self._sites.embeddings}.weight" if tied_head else name)
        table = saved.float()
        update = self._updates[self._sites.head] if is_head else None
        if update is not None:
            table = _merged(update, self._sites.parts["lm_head"], kind, table)
        table = fitted(table, vocabulary.embedded)
        own = vocabulary.head if is_head else vocabulary.embeddings
        if own is not None:
            values = own.rows if kind == "weight" else own.bias
            if values is not None:
                table[own.ids] = values
        if not is_head and vocabulary.update is not None:
            table = vocabulary.update.apply(torch.arange(len(table)), table)
        return table


def _merged(update: Update, part: Part, kind: str, tensor: Tensor) -> Tensor:
    """A part's weight [out, in] or bias [out] with an update: y = W x + b becomes gain*y + ...."""
    gain = None if update.gain is None else update.gain[part.rows]
    if kind == "bias":
        tensor = tensor if gain is None else tensor * gain
        return tensor if update.shift is None else tensor + update.shift[part.rows]
    tensor = tensor if gain is None else tensor * gain[:, None]
    return tensor + update.up[part.rows] @ update.down
