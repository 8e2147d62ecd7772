"""What a deployment would do to each resource, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from remora.azure.inventory import (
    APP,
    ENVIRONMENT,
    ENVIRONMENT_STORAGE,
    STORAGE_ACCOUNT,
    WORKSPACE,
)
from remora.azure.resource_id import parse
from remora.azure.wire import wire

if TYPE_CHECKING:
    from azure.mgmt.resource.deployments.models import WhatIfChange, WhatIfPropertyChange

_SHOWN = 3  # properties named in a reason
GROUP_TYPE = "Microsoft.Resources/resourceGroups"


class Action(StrEnum):
    """What is done to a resource."""

    CREATE = "create"
    UPDATE = "update"
    NONE = "none"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """``type`` and ``name`` as Azure's ids have them; ``reason`` is a sentence without its dot."""

    action: Action
    type: str
    name: str
    reason: str


def changes_of(found: Iterable[WhatIfChange]) -> list[Change]:
    """The outcome of Azure's what-if; what the template does not touch is left out."""
    changes = [change for one in found for change in _change(one)]
    order = list(Action)
    return sorted(changes, key=lambda change: (order.index(change.action), change.type.lower()))


def new_resources(group: str, names: Mapping[str, Any]) -> list[Change]:
    """What a group that is not there yet will get: Azure can't foresee what is in no group.

    ``names`` are the values of the template's parameters.
    """
    environment, account = names["acaEnvironmentName"], names["storageAccountName"]
    storage = "acaEnvironmentStorageName" if names["keepCommands"] else "readOnlyStorageName"

    def is_here(parameter: str) -> bool:
        return str(names[parameter]).lower() == group.lower()

    share = f"{account}/default/{names['fileShareName']}"
    has_account = is_here("storageAccountResourceGroup")
    has_environment = is_here("acaEnvironmentResourceGroup")
    found = [
        (True, GROUP_TYPE, group),
        (has_account, STORAGE_ACCOUNT, account),
        (has_account, f"{STORAGE_ACCOUNT}/fileServices/shares", share),
        (is_here("acaLogAnalyticsResourceGroup"), WORKSPACE, names["acaLogAnalyticsName"]),
        (has_environment, ENVIRONMENT, environment),
        (True, ENVIRONMENT_STORAGE, f"{environment}/{names[storage]}"),
        (True, APP, names["acaAppName"]),
        (not names["keepCommands"], APP, names["frontAppName"]),
    ]
    return [
        Change(Action.CREATE, kind, name, "is not there yet") for made, kind, name in found if made
    ]


def _change(found: WhatIfChange) -> Iterator[Change]:
    if not found.resource_id:
        return
    resource = parse(found.resource_id)
    match wire(found.change_type).lower():
        case "create":
            action, reason = Action.CREATE, "is not there yet"
        case "nochange":
            action, reason = Action.NONE, "is as it should be"
        case "modify":
            paths = list(_paths(found.delta or ()))
            action = Action.UPDATE if paths else Action.NONE
            reason = _changed(paths) if paths else "is as it should be"
        case "deploy":
            action, reason = Action.UPDATE, "Azure does not tell beforehand what changes"
        case "delete":
            action, reason = Action.DELETE, "the template does not have it"
        case "unsupported":
            action, reason = Action.UPDATE, found.unsupported_reason or "Azure can't foresee it"
        case _:
            return
    yield Change(action, resource.type, resource.name, reason)


def _paths(delta: Iterable[WhatIfPropertyChange], prefix: str = "") -> Iterator[str]:
    """Properties that would change, by their paths; what has no effect is left out."""
    for change in delta:
        if wire(change.property_change_type).lower() == "noeffect":
            continue
        path = f"{prefix}{change.path}"
        children = list(_paths(change.children or (), f"{path}."))
        yield from children or [path]


def _changed(paths: list[str]) -> str:
    shown = ", ".join(path.removeprefix("properties.") for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"changes {shown}{more}"
