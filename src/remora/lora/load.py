"""Reads an adapter's weights into what the sites and the vocabulary of a model need."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from remora.errors import AdapterBroken
from remora.formats.adapter_config import WEIGHTS_FILE
from remora.formats.peft_keys import Role
from remora.formats.safetensors_header import BrokenHeader
from remora.lora.adapter import Adapter
from remora.lora.base_tensors import BaseSite, BaseTensors
from remora.lora.plan import AdapterPlan, ModulePlan
from remora.lora.sites import Part, Sites
from remora.lora.trained_rows import Reader, load_vocabulary
from remora.lora.update import Update, fuse, update_of
from remora.lora.weights_file import NotFinite, WeightsFile


@torch.inference_mode()
def load_adapter(
    plan: AdapterPlan, sites: Sites, dtype: torch.dtype, device: str, base: BaseTensors
) -> Adapter:
    """Read an adapter's weights; the base's are read only where the adapter depends on them.

    Raises `AdapterBroken` if they are damaged or not finite.
    """
    path = plan.folder / WEIGHTS_FILE
    try:
        with WeightsFile(path) as file:

            def read(module: ModulePlan) -> dict[Role, Tensor]:
                return {role: file.read(name).float() for role, name in module.tensors.items()}

            updates = _updates(plan, sites, base, read, dtype)
            vocabulary, head = load_vocabulary(plan, sites, base, read)
            # The others were copied; a view would keep all in memory that was read with it.
            updates[sites.head] = head and replace(head, down=head.down.clone(), up=head.up.clone())
    except NotFinite as error:
        raise AdapterBroken(
            f"{path} holds NaN or infinite weights", hint="The training diverged; train again."
        ) from error
    except (OSError, BrokenHeader) as error:
        raise AdapterBroken(f"{path} can't be read: {error}", hint="Copy it again.") from error
    return Adapter(updates, plan.rank, vocabulary).to(dtype, device)


def _updates(
    plan: AdapterPlan, sites: Sites, base: BaseTensors, read: Reader, dtype: torch.dtype
) -> list[Update | None]:
    """The updates of all sites but the head."""
    members: dict[int, list[tuple[Part, ModulePlan]]] = {}
    for name, module in plan.modules.items():
        part = sites.parts.get(name)
        if part is not None and part.site != sites.head:
            members.setdefault(part.site, []).append((part, module))
    updates: list[Update | None] = [None] * len(sites)
    for number, parts in members.items():
        site = BaseSite(base, sites[number])
        updates[number] = fuse(
            [
                (
                    part.rows,
                    update_of(
                        read(module),
                        plan.scale_of(module),
                        part.inputs,
                        partial(site.weight_rows, part.rows),
                        partial(site.bias_rows, part.rows),
                    ),
                )
                for part, module in parts
            ],
            sites[number].outputs,
            dtype,
        )
    return updates
