"""PUT, PATCH, GET, DELETE and lists, the same for every type of resource."""

from __future__ import annotations

import copy
from typing import Any

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.catalogue import group_of, kind_of, show, store, writable_kind
from tests.azure.double.container_apps import APPS, revision_of
from tests.azure.double.environments import ENVIRONMENTS
from tests.azure.double.errors import ArmError, ContractError, not_found
from tests.azure.double.operations import accepted
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Json, Resource


def _id(call: Call) -> ResourceId | None:
    """The resource that a path names, or None where it names a list of them."""
    try:
        return ResourceId.parse(call.path)
    except ValueError:
        return None


def get(arm: Arm, call: Call) -> Reply:
    resource_id = _id(call)
    if resource_id is None:
        return _list(arm, call)
    kind_of(resource_id.type)
    group_of(arm.state, resource_id.subscription, resource_id.group)
    found = arm.state.find(resource_id)
    if found is None:
        raise not_found(resource_id.type, resource_id.name, resource_id.group)
    return Reply(200, show(arm.state, found))


def head(arm: Arm, call: Call) -> Reply:
    resource_id = _id(call)
    return Reply(204 if resource_id and arm.state.find(resource_id) else 404)


def _list(arm: Arm, call: Call) -> Reply:
    """``…/providers/A/b`` of a subscription or a group, or ``…/b/x/c``, the children of one."""
    scope, _, rest = call.path.rpartition("/providers/")
    namespace, *words = rest.split("/")
    resource_type = "/".join([namespace, *words[::2]])
    kind_of(resource_type)
    parent = ResourceId.parse(call.path.rpartition("/")[0]) if len(words) > 1 else None
    if parent and not parent.types[-1].lower() == "fileservices" and not arm.state.find(parent):
        raise not_found(parent.type, parent.name, parent.group)
    below = f"{parent.key}/" if parent else f"{scope}/"
    return Reply(
        200,
        {"value": [show(arm.state, found) for found in arm.state.of_type(resource_type, below)]},
    )


def put(arm: Arm, call: Call) -> Reply:
    resource_id = _id(call)
    if resource_id is None:
        raise ContractError(f"{call.path} is no resource.", "InvalidResourceType", 404)
    existed = arm.state.find(resource_id) is not None
    return _answer(
        arm, call, store(arm.state, resource_id, call.api_version, call.body), existed=existed
    )


def patch(arm: Arm, call: Call) -> Reply:
    resource_id = _id(call)
    found = arm.state.find(resource_id) if resource_id else None
    if resource_id is None or found is None:
        raise ArmError(404, "ResourceNotFound", f"The resource '{call.path}' was not found.")
    merged = merge(writable(found), call.body)
    stored = store(arm.state, resource_id, call.api_version, merged)
    return _answer(arm, call, stored, existed=True, patched=True)


def writable(resource: Resource) -> Json:
    """What a resource was made from, without what Azure added."""
    body = copy.deepcopy(resource.body)
    body["properties"] = copy.deepcopy(resource.written)
    return body


def merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _answer(
    arm: Arm, call: Call, resource: Resource, *, existed: bool, patched: bool = False
) -> Reply:
    kind = kind_of(resource.id.type)
    if kind.pending is None:
        return Reply(200 if existed else 201, show(arm.state, resource))
    resource.properties["provisioningState"] = kind.pending
    operation = arm.operations.start(lambda: settle(arm, resource))
    location = resource.body.get("location", "global").replace(" ", "").lower()
    url = (
        f"/subscriptions/{resource.id.subscription}/providers/{resource.id.namespace}"
        f"/locations/{location}"
    )
    headers = accepted(arm, call, operation, url, style=kind.style)
    if kind.style == "Location":
        return Reply(202, None, headers)
    status = 200 if existed else 201
    return Reply(202 if patched else status, show(arm.state, resource), headers)


async def settle(arm: Arm, resource: Resource) -> Reply:
    """The rest of making a resource, step by step; the answer is the resource."""
    await arm.operations.step()
    await arm.operations.step()
    resource.properties["provisioningState"] = "Succeeded"
    if resource.id.type.lower() == APPS.lower():
        revision_of(arm.state, resource)
    return Reply(200, show(arm.state, resource))


def delete(arm: Arm, call: Call) -> Reply:
    resource_id = _id(call)
    if resource_id is None:
        raise ContractError(f"{call.path} is no resource.", "InvalidResourceType", 404)
    kind = writable_kind(resource_id)
    group_of(arm.state, resource_id.subscription, resource_id.group)
    found = arm.state.find(resource_id)
    if found is None:
        return Reply(204)
    _check_unused(arm, found)
    if kind.pending is None or kind.style == "Location":
        arm.state.remove(resource_id)
        return Reply(200)
    found.properties["provisioningState"] = "Deleting"

    async def work() -> Reply:
        await arm.operations.step()
        arm.state.remove(resource_id)
        return Reply(200)

    place = f"/subscriptions/{resource_id.subscription}/providers/{resource_id.namespace}"
    url = f"{place}/locations/global"
    return Reply(202, None, accepted(arm, call, arm.operations.start(work), url, style="Location"))


def _check_unused(arm: Arm, resource: Resource) -> None:
    """An environment goes after its apps, a storage after the volumes that use it."""
    environment = resource.id.parent or resource.id
    if environment.type.lower() != ENVIRONMENTS.lower():
        return
    name = resource.id.name
    for app in arm.state.of_type(APPS):
        if app.properties["environmentId"].lower() != environment.key:
            continue
        volumes = app.properties["template"].get("volumes") or []
        message = f"'{name}' can't be deleted: the container app '{app.id.name}' uses it."
        if environment == resource.id:
            raise ArmError(409, "ManagedEnvironmentHasContainerApps", message)
        if any(volume.get("storageName") == name for volume in volumes):
            raise ArmError(400, "ManagedEnvironmentStorageInUse", message)


_PATTERNS = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/{rest:path}",
    "/subscriptions/{subscription}/providers/{namespace}/{rest:path}",
)
ROUTES = (
    *(Route("GET", pattern, get, "{namespace}") for pattern in _PATTERNS),
    *(
        Route(method, _PATTERNS[0], handler, "{namespace}")
        for method, handler in (("HEAD", head), ("PUT", put), ("PATCH", patch), ("DELETE", delete))
    ),
)
