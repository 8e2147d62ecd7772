"""Microsoft.OperationalInsights: Log Analytics workspaces."""

from __future__ import annotations

import base64
import hashlib

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.errors import not_found
from tests.azure.double.kinds import Kind
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Json, Resource, State, new_id, now

WORKSPACES = "Microsoft.OperationalInsights/workspaces"


def _workspace(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    kept = (before or {}).get("properties", {})
    properties = {
        "sku": {"name": "PerGB2018"},
        "retentionInDays": 30,
        "customerId": new_id(),
        "createdDate": now(),
        **kept,
        **body.get("properties", {}),
        "provisioningState": "Succeeded",
    }
    return {"tags": {}, **body, "properties": properties}


KINDS = (Kind(WORKSPACES, _workspace, pending="Creating"),)


def keys_of(state: State, resource: Resource) -> Json:
    key = base64.b64encode(hashlib.sha512(resource.id.key.encode()).digest()).decode()
    return {"primarySharedKey": key, "secondarySharedKey": key[::-1]}


def shared_keys(arm: Arm, call: Call) -> Reply:
    resource_id = ResourceId.parse(call.path.rpartition("/")[0])
    resource = arm.state.find(resource_id)
    if resource is None:
        raise not_found(WORKSPACES, resource_id.name, resource_id.group)
    return Reply(200, keys_of(arm.state, resource))


_WORKSPACE = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.OperationalInsights/workspaces/{workspace}"
)
ROUTES = (
    Route("POST", f"{_WORKSPACE}/sharedKeys", shared_keys, WORKSPACES),
    Route("POST", f"{_WORKSPACE}/listKeys", shared_keys, WORKSPACES),
)
