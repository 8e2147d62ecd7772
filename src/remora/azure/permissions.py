"""What the signed-in user may do, as the roles say."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from remora.azure.failures import azure_errors

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.places import Group

# What a deployment of inference does.
ACTIONS = (
    "Microsoft.Resources/deployments/write",
    "Microsoft.App/managedEnvironments/write",
    "Microsoft.App/containerApps/write",
    "Microsoft.App/containerApps/listSecrets/action",
    "Microsoft.Storage/storageAccounts/write",
    "Microsoft.Storage/storageAccounts/listKeys/action",
    "Microsoft.OperationalInsights/workspaces/write",
)
_NEW_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/write"
_API_VERSION = "2022-04-01"


def missing_actions(clients: Clients, group: Group) -> list[str]:
    """The actions that a deployment into a group needs and the user may not do.

    A group that is not there yet has no permissions of its own: the subscription's hold there.
    """
    from azure.core.rest import HttpRequest

    scope = group.id if group.exists else f"/subscriptions/{clients.subscription}"
    path = f"{scope}/providers/Microsoft.Authorization/permissions?api-version={_API_VERSION}"
    with azure_errors("asking what you may do"):
        response = clients.resources.send_request(HttpRequest("GET", path))
        response.raise_for_status()
        granted = json.loads(response.text()).get("value") or []
    needed = ACTIONS if group.exists else (*ACTIONS, _NEW_GROUP)
    return [action for action in needed if not _may(granted, action)]


def _may(granted: Iterable[Mapping[str, Any]], action: str) -> bool:
    """Whether a role allows an action and does not take it back itself."""
    return any(
        _matches(role.get("actions"), action) and not _matches(role.get("notActions"), action)
        for role in granted
    )


def _matches(patterns: Iterable[str] | None, action: str) -> bool:
    lowered = action.lower()
    return any(fnmatch.fnmatchcase(lowered, pattern.lower()) for pattern in patterns or ())
