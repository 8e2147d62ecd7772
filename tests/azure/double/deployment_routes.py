"""The operations of Microsoft.Resources/deployments."""

from __future__ import annotations

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.catalogue import group_of
from tests.azure.double.deployment import Deployment, preflight, requested, run, tried
from tests.azure.double.errors import ArmError
from tests.azure.double.operations import accepted
from tests.azure.double.state import Group, Json
from tests.azure.double.what_if import changes

_ACTIVE = {"Accepted", "Running"}


def _group(arm: Arm, call: Call) -> Group:
    return group_of(arm.state, call.names["subscription"], call.names["group"])


def _key(arm: Arm, call: Call) -> str:
    return f"{_group(arm, call).id}/{call.names['deployment']}".lower()


def _found(arm: Arm, call: Call) -> Deployment:
    found = arm.deployments.get(_key(arm, call))
    if found is None:
        name = call.names["deployment"]
        raise ArmError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")
    return found


def put(arm: Arm, call: Call) -> Reply:
    key = _key(arm, call)
    before = arm.deployments.get(key)
    if before is not None and before.state in _ACTIVE:
        raise ArmError(
            409,
            "DeploymentActive",
            f"Unable to edit or replace deployment '{before.name}': previous deployment from "
            f"'{before.timestamp}' is still active.",
        )
    deployment, template = requested(arm, _group(arm, call), call.names["deployment"], call.body)
    preflight(arm, deployment)
    arm.deployments[key] = deployment
    deployment.work = arm.operations.start(lambda: run(arm, deployment, template))
    headers = accepted(arm, call, deployment.work, deployment.id, style="Azure-AsyncOperation")
    return Reply(200 if before else 201, deployment.view(), headers)


def get(arm: Arm, call: Call) -> Reply:
    return Reply(200, _found(arm, call).view())


def head(arm: Arm, call: Call) -> Reply:
    return Reply(204 if _key(arm, call) in arm.deployments else 404)


def every(arm: Arm, call: Call) -> Reply:
    here = f"{_group(arm, call).id}/".lower()
    found = [item for key, item in arm.deployments.items() if key.startswith(here)]
    return Reply(200, {"value": [item.view() for item in reversed(found)]})


def delete(arm: Arm, call: Call) -> Reply:
    arm.deployments.pop(_key(arm, call), None)
    return Reply(204)


def cancel(arm: Arm, call: Call) -> Reply:
    deployment = _found(arm, call)
    if deployment.state not in _ACTIVE:
        raise ArmError(
            409,
            "DeploymentCannotBeCancelled",
            f"The deployment '{deployment.name}' cannot be cancelled: it is {deployment.state}.",
        )
    deployment.state = "Canceled"
    for operation in deployment.operations:
        if operation["properties"]["provisioningState"] == "Running":
            operation["properties"]["provisioningState"] = "Canceled"
    if deployment.work and deployment.work.task:
        deployment.work.task.cancel()
    return Reply(204)


def validate(arm: Arm, call: Call) -> Reply:
    """The answer holds the error where the template is not valid, as ARM's does."""
    name = call.names["deployment"]
    deployment, _ = requested(arm, _group(arm, call), name, call.body)
    try:
        preflight(arm, deployment)
    except ArmError as error:
        return Reply(400, {"error": error.body})
    shown = deployment.view()
    shown["properties"]["provisioningState"] = "Succeeded"
    shown["properties"]["validatedResources"] = [
        {"id": wanted.id} for wanted, _ in tried(arm.state, deployment)
    ]
    return Reply(200, shown)


def what_if(arm: Arm, call: Call) -> Reply:
    deployment, _ = requested(
        arm, _group(arm, call), call.names["deployment"], _without_settings(call.body)
    )

    async def work() -> Reply:
        await arm.operations.step()
        try:
            found = changes(arm, deployment)
        except ArmError as error:
            return Reply(200, {"status": "Failed", "error": error.body})
        return Reply(200, {"status": "Succeeded", "properties": {"changes": found}})

    url = f"/subscriptions/{deployment.group.subscription}"
    return Reply(202, None, accepted(arm, call, arm.operations.start(work), url, style="Location"))


def _without_settings(body: Json) -> Json:
    properties = {**body["properties"]}
    properties.pop("whatIfSettings", None)
    return {**body, "properties": properties}


def operations(arm: Arm, call: Call) -> Reply:
    return Reply(200, {"value": _found(arm, call).operations})


_GROUP = "/subscriptions/{subscription}/resourcegroups/{group}"
_ALL = f"{_GROUP}/providers/Microsoft.Resources/deployments"
_ONE = f"{_ALL}/{{deployment}}"
_TYPE = "Microsoft.Resources/deployments"
ROUTES = (
    Route("PUT", _ONE, put, _TYPE),
    Route("GET", _ONE, get, _TYPE),
    Route("HEAD", _ONE, head, _TYPE),
    Route("DELETE", _ONE, delete, _TYPE),
    Route("GET", _ALL, every, _TYPE),
    Route("POST", f"{_ONE}/cancel", cancel, _TYPE),
    Route("POST", f"{_ONE}/validate", validate, _TYPE),
    Route("POST", f"{_ONE}/whatIf", what_if, _TYPE),
    Route("GET", f"{_GROUP}/deployments/{{deployment}}/operations", operations, _TYPE),
    Route("GET", f"{_ONE}/operations", operations, _TYPE),
)
