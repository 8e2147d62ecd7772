"""Microsoft.Resources: resource groups, and the resources in them whatever their type."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.catalogue import group_of, kind_of
from tests.azure.double.errors import ArmError, ContractError
from tests.azure.double.operations import accepted
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Group, Json

_FILTER = re.compile(
    r"(?:tagName eq '(?P<tag>[^']*)'(?: and tagValue eq '(?P<value>[^']*)')?)"
    r"|(?:resourceType eq '(?P<type>[^']*)')"
)


def _view(group: Group) -> Json:
    return {
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": {"provisioningState": group.state},
    }


def groups(arm: Arm, call: Call) -> Reply:
    wanted = call.names["subscription"].lower()
    found = [g for g in arm.state.groups.values() if g.subscription.lower() == wanted]
    return Reply(200, {"value": [_view(group) for group in found]})


def group(arm: Arm, call: Call) -> Reply:
    return Reply(200, _view(group_of(arm.state, call.names["subscription"], call.names["group"])))


def exists(arm: Arm, call: Call) -> Reply:
    found = arm.state.find_group(call.names["subscription"], call.names["group"])
    return Reply(204 if found else 404)


def put(arm: Arm, call: Call) -> Reply:
    subscription, name = call.names["subscription"], call.names["group"]
    location = call.body.get("location") if isinstance(call.body, dict) else None
    if not isinstance(location, str):
        raise ContractError("A resource group needs a location.", "LocationRequired")
    if not re.fullmatch(r"[-\w.()]{1,89}[-\w()]", name):
        raise ArmError(400, "InvalidResourceGroup", f"'{name}' is no name for a resource group.")
    before = arm.state.find_group(subscription, name)
    if before is not None and before.location != location:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"The resource group '{name}' already exists in location '{before.location}'.",
        )
    group = before or arm.state.group(name, location, subscription)
    group.tags = call.body.get("tags") or {}
    return Reply(200 if before else 201, _view(group))


def delete(arm: Arm, call: Call) -> Reply:
    group = group_of(arm.state, call.names["subscription"], call.names["group"])

    async def work() -> Reply:
        group.state = "Deleting"
        await arm.operations.step()
        for resource in list(_resources(arm, group.id)):
            arm.state.remove(resource)
        arm.state.groups.pop(group.id.lower(), None)
        return Reply(200)

    url = f"/subscriptions/{group.subscription}"
    headers = accepted(arm, call, arm.operations.start(work), url, style="Location")
    return Reply(202, None, headers)


def _resources(arm: Arm, scope: str) -> Iterator[ResourceId]:
    for key, resource in list(arm.state.resources.items()):
        if key.startswith(f"{scope}/".lower()) and len(resource.id.names) == 1:
            yield resource.id


def _list(arm: Arm, call: Call, scope: str) -> Reply:
    condition, expand = call.query.get("$filter", ""), call.query.get("$expand", "")
    match = _FILTER.fullmatch(condition.strip()) if condition else None
    if condition and match is None:
        raise ContractError(f"The filter '{condition}' is not known.", "InvalidFilterInQueryString")
    value = []
    for resource_id in _resources(arm, scope):
        resource = arm.state.resources[resource_id.key]
        tags = resource.body.get("tags") or {}
        if match and match["type"] and resource_id.type.lower() != match["type"].lower():
            continue
        if match and match["tag"]:
            given = {name.lower(): text for name, text in tags.items()}.get(match["tag"].lower())
            if given is None or match["value"] not in {None, given}:
                continue
        shown = {
            "id": str(resource_id),
            "name": resource_id.name,
            "type": kind_of(resource_id.type).type,
            "location": resource.body.get("location"),
            "tags": tags,
        }
        if "provisioningState" in expand:
            shown["provisioningState"] = resource.properties["provisioningState"]
        value.append(shown)
    return Reply(200, {"value": value})


def of_group(arm: Arm, call: Call) -> Reply:
    found = group_of(arm.state, call.names["subscription"], call.names["group"])
    return _list(arm, call, found.id)


def of_subscription(arm: Arm, call: Call) -> Reply:
    return _list(arm, call, f"/subscriptions/{call.names['subscription']}")


_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourcegroups/{{group}}"
_TYPE = "Microsoft.Resources/resourceGroups"
ROUTES = (
    Route("GET", f"{_SUBSCRIPTION}/resourcegroups", groups, _TYPE),
    Route("GET", _GROUP, group, _TYPE),
    Route("HEAD", _GROUP, exists, _TYPE),
    Route("PUT", _GROUP, put, _TYPE),
    Route("DELETE", _GROUP, delete, _TYPE),
    Route("GET", f"{_GROUP}/resources", of_group, "Microsoft.Resources"),
    Route("GET", f"{_SUBSCRIPTION}/resources", of_subscription, "Microsoft.Resources"),
)
