"""Reads what an adapter changes in the vocabulary: trained, added and removed rows.

Both tables may be saved as a whole. A table whose module is in ``modules_to_save`` is the adapter's
own; any other is the base's, resized, and where the base's embeddings and head are one table, then
it is both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from remora.formats.peft_keys import Role
from remora.lora.base_tensors import BaseSite, BaseTensors
from remora.lora.plan import AdapterPlan, ModulePlan
from remora.lora.sites import Sites
from remora.lora.update import Update, update_of
from remora.lora.vocabulary import EmbeddingUpdate, OwnRows, Vocabulary, fitted

Reader = Callable[[ModulePlan], Mapping[Role, Tensor]]
"""Reads a module's tensors, in float32."""
_HEAD = "lm_head"


def load_vocabulary(
    plan: AdapterPlan, sites: Sites, base: BaseTensors, read: Reader
) -> tuple[Vocabulary | None, Update | None]:
    """The vocabulary of an adapter, None where it is the base's, and the head's update."""
    modules = {
        name: read(plan.modules[name]) for name in (sites.embeddings, _HEAD) if name in plan.modules
    }
    if not modules:
        return None, None
    embeddings = _own_rows(plan, sites, modules, sites.embeddings, _HEAD, base)
    head_rows = _own_rows(plan, sites, modules, _HEAD, sites.embeddings, base)
    embedding_update = _embedding_update(plan, sites, modules, embeddings, base)
    update = _head_update(plan, sites, modules, head_rows, base)
    resized = (plan.embedded, plan.scored) != (sites.vocab, sites.vocab)
    own = (embeddings, head_rows, embedding_update)
    if not resized and all(part is None for part in own):
        return None, update
    head = head_rows and _updated(head_rows, update, BaseSite(base, sites[sites.head]), plan.scored)
    vocabulary = Vocabulary(plan.embedded, plan.scored, embeddings, embedding_update, head)
    return vocabulary, update and _resized(update, sites.vocab)


def _own_rows(
    plan: AdapterPlan,
    sites: Sites,
    modules: Mapping[str, Mapping[Role, Tensor]],
    name: str,
    other: str,
    base: BaseTensors,
) -> OwnRows | None:
    """The rows of one of the two tables that are not the base's."""
    size = plan.embedded if name == sites.embeddings else plan.scored
    ids, rows = torch.zeros(0, dtype=torch.long), torch.zeros(0, sites.hidden)
    tensors, others = modules.get(name, {}), modules.get(other, {})
    is_own = other in modules and plan.config.is_saved(plan.modules[other].path)
    shares = sites.tied and (plan.config.tie_weights or not is_own)
    table = tensors.get(Role.WEIGHT, others.get(Role.WEIGHT) if shares else None)
    if table is not None:
        ids = _changed(table, _base_table(sites, name, base))
        rows = table[ids]
    # PEFT ties the head to the embeddings' trained tokens, but not the other way round.
    tokens, path = tensors.get(Role.TOKENS), name
    if tokens is None and sites.tied and name == _HEAD:
        tokens, path = others.get(Role.TOKENS), other
    if tokens is not None:
        trained = torch.tensor(plan.config.trained_tokens(plan.modules[path].path))
        kept = torch.isin(ids, trained, invert=True)
        ids, rows = torch.cat([ids[kept], trained]), torch.cat([rows[kept], tokens])
    return OwnRows(ids[ids < size], rows[ids < size]) if len(ids) else None


def _changed(table: Tensor, base: Tensor) -> Tensor:
    """The ids of a table's rows that the base does not have, or has otherwise."""
    common = min(len(table), len(base))
    differs = (table[:common].to(base.dtype) != base[:common]).any(1)
    return torch.cat([differs.nonzero()[:, 0], torch.arange(common, len(table))])


def _base_table(sites: Sites, name: str, base: BaseTensors) -> Tensor:
    module = sites.embeddings if name == sites.embeddings else sites[sites.head].modules[0]
    return base.read(f"{module}.weight")


def _whole(sites: Sites, name: str, size: int, own: OwnRows | None, base: BaseTensors) -> Tensor:
    """All rows of one of the tables as the adapter has it, [size, hidden]."""
    table = fitted(_base_table(sites, name, base).float(), size).clone()
    if own is not None:
        table[own.ids] = own.rows
    return table


def _embedding_update(
    plan: AdapterPlan,
    sites: Sites,
    modules: Mapping[str, Mapping[Role, Tensor]],
    own: OwnRows | None,
    base: BaseTensors,
) -> EmbeddingUpdate | None:
    tensors = modules.get(sites.embeddings, {})
    if Role.EMBEDDING_DOWN not in tensors:
        return None
    scale = plan.scale_of(plan.modules[sites.embeddings])
    down, up, gain = tensors[Role.EMBEDDING_DOWN].T, tensors[Role.EMBEDDING_UP].T * scale, None
    if Role.MAGNITUDE in tensors:
        # Unlike a linear layer's, these magnitudes are those of the table's columns.
        whole = _whole(sites, sites.embeddings, plan.embedded, own, base)
        gain = tensors[Role.MAGNITUDE] / torch.linalg.norm(whole + down @ up, dim=0)
        up = up * gain
    return EmbeddingUpdate(down.contiguous(), up, gain)


def _head_update(
    plan: AdapterPlan,
    sites: Sites,
    modules: Mapping[str, Mapping[Role, Tensor]],
    own: OwnRows | None,
    base: BaseTensors,
) -> Update | None:
    """What the adapter changes at the head, for as many tokens as it has there."""
    tensors = modules.get(_HEAD, {})
    if tensors.keys().isdisjoint((Role.DOWN, Role.BIAS)):
        return None
    site, size = BaseSite(base, sites[sites.head]), plan.scored
    return update_of(
        tensors,
        plan.scale_of(plan.modules[_HEAD]),
        sites.hidden,
        lambda: _whole(sites, _HEAD, size, own, base),
        lambda: fitted(site.bias_rows(slice(None)), size),
    )


def _updated(own: OwnRows, update: Update | None, site: BaseSite, size: int) -> OwnRows:
    """The head's own rows with all that an update does to them."""
    bias, rows = fitted(site.bias_rows(slice(None)), size), own.rows
    bias = None if bias is None else bias[own.ids]
    if update is None:
        return OwnRows(own.ids, rows, bias)
    if update.gain is not None:
        rows = rows * update.gain[own.ids, None]
        bias = None if bias is None else bias * update.gain[own.ids]
    if update.shift is not None:
        bias = update.shift[own.ids] + (0 if bias is None else bias)
    return OwnRows(own.ids, rows + update.up[own.ids] @ update.down, bias)


def _resized(update: Update, size: int) -> Update:
    return Update(
        update.down,
        fitted(update.up, size),
        fitted(update.gain, size, 1.0),
        fitted(update.shift, size),
    )
