"""Ids of Azure's resources: ``/subscriptions/…/resourceGroups/…/providers/Type/name…``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class ResourceId:
    """``type`` is ``Microsoft.Storage/storageAccounts/fileServices/shares``, ``name`` is
    ``account/default/share``."""

    group: str
    type: str
    name: str


def parse(text: str) -> ResourceId:
    """The parts of an id; a resource group counts as a resource of its own."""
    scope, _, rest = text.rpartition("/providers/")
    group = _after(scope or text, "resourcegroups")
    if not scope:
        return ResourceId(group, "Microsoft.Resources/resourceGroups", group)
    namespace, *pairs = rest.strip("/").split("/")
    return ResourceId(group, "/".join([namespace, *pairs[0::2]]), "/".join(pairs[1::2]))


def same(left: str, right: str) -> bool:
    """Azure does not tell upper from lower case in ids."""
    return left.strip("/").lower() == right.strip("/").lower()


def _after(text: str, key: str) -> str:
    parts = text.strip("/").split("/")
    return next((value for name, value in pairwise(parts) if name.lower() == key), "")
