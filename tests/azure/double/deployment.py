"""Microsoft.Resources/deployments: a template's resources, put one after the other."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.azure.arm.deployment import DEPLOYMENTS, evaluate
from tests.azure.arm.deployment import Deployment as Template
from tests.azure.arm.deployment import Resource as Wanted
from tests.azure.arm.errors import TemplateError, Unresolved
from tests.azure.arm.parameters import is_secure
from tests.azure.double import storage, workspaces
from tests.azure.double.arm import Arm
from tests.azure.double.call import Reply
from tests.azure.double.catalogue import group_of, kind_of, show, store
from tests.azure.double.errors import ArmError, ContractError
from tests.azure.double.operations import Operation
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.resources import settle
from tests.azure.double.state import Group, Json, Resource, State, new_id, now

_KEYS = {
    storage.ACCOUNTS.lower(): storage.keys_of,
    workspaces.WORKSPACES.lower(): workspaces.keys_of,
}
_ALLOWED = {
    "template", "parameters", "mode", "debugSetting", "expressionEvaluationOptions",
    "validationLevel",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """The group that a template is deployed into, as the evaluator of templates asks about it."""

    state: State
    in_group: Group

    @property
    def subscription_id(self) -> str:
        return self.in_group.subscription

    @property
    def tenant_id(self) -> str:
        return self.state.tenant

    @property
    def resource_group(self) -> str:
        return self.in_group.name

    @property
    def location(self) -> str:
        return self.in_group.location

    def reference(self, resource_id: str, api_version: str, full: bool) -> Mapping[str, Any]:
        shown = show(self.state, self._found(resource_id))
        return shown if full else shown["properties"]

    def list_keys(self, resource_id: str, api_version: str) -> Mapping[str, Any]:
        found = self._found(resource_id)
        return _KEYS[found.id.type.lower()](self.state, found)

    def group(self, name: str) -> Place:
        return Place(self.state, group_of(self.state, self.in_group.subscription, name))

    def _found(self, resource_id: str) -> Resource:
        found = self.state.find(resource_id)
        if found is None:
            raise Unresolved(resource_id)
        return found


@dataclass
class Deployment:
    """One deployment and what became of it so far."""

    name: str
    group: Group
    template: Json
    parameters: Json
    mode: str
    validation: str = "Provider"
    state: str = "Accepted"
    correlation: str = field(default_factory=new_id)
    timestamp: str = field(default_factory=now)
    operations: list[Json] = field(default_factory=list)
    outputs: Json | None = None
    error: ArmError | None = None
    work: Operation | None = None

    @property
    def id(self) -> str:
        return f"{self.group.id}/providers/{DEPLOYMENTS}/{self.name}"

    def view(self) -> Json:
        properties: Json = {
            "provisioningState": self.state,
            "correlationId": self.correlation,
            "timestamp": self.timestamp,
            "duration": "PT1S",
            "mode": self.mode,
            "parameters": self._shown_parameters(),
            "outputResources": [
                {"id": operation["properties"]["targetResource"]["id"]}
                for operation in self.operations
                if operation["properties"]["provisioningState"] == "Succeeded"
                and operation["properties"]["provisioningOperation"] == "Create"
            ],
        }
        if self.outputs is not None:
            properties["outputs"] = self.outputs
        if self.error is not None:
            properties["error"] = self.error.body
        names = {"id": self.id, "name": self.name, "type": DEPLOYMENTS}
        return {**names, "properties": properties}

    def _shown_parameters(self) -> Json:
        """Secure ones without their values."""
        shown = {}
        for name, given in self.parameters.items():
            declared = self.template["parameters"][name]
            more = {} if is_secure(declared) else copy.deepcopy(given)
            shown[name] = {"type": declared["type"].capitalize(), **more}
        return shown


Deployments = dict[str, Deployment]


def requested(arm: Arm, group: Group, name: str, body: Any) -> tuple[Deployment, Template]:
    """A deployment as a request asks for it. Raises `ArmError` where the request is wrong."""
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise ContractError("A deployment needs properties.", "InvalidRequestContent")
    unknown = properties.keys() - _ALLOWED
    if unknown or body.keys() - {"properties", "tags", "location"}:
        raise ContractError(f"Unknown keys in the deployment: {sorted(unknown or body)}.")
    if properties.get("mode") != "Incremental":
        raise ContractError("Only the mode Incremental leaves what others made alone.")
    template, parameters = properties.get("template"), properties.get("parameters") or {}
    if not isinstance(template, dict):
        raise ContractError("A deployment needs a template.", "InvalidTemplate")
    try:
        evaluated = evaluate(template, parameters, Place(arm.state, group))
    except TemplateError as error:
        raise invalid(str(error)) from error
    level = properties.get("validationLevel", "Provider")
    if level not in {"Template", "Provider", "ProviderNoRbac"}:
        raise ContractError(f"{level!r} is no level of validation.")
    return Deployment(name, group, template, parameters, properties["mode"], level), evaluated


def invalid(message: str) -> ArmError:
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{message}'.")


def preflight(arm: Arm, deployment: Deployment) -> None:
    """What Azure checks before it begins; raises `ArmError` with all faults in its details."""
    wrong = []
    for _, error in tried(arm.state, deployment):
        if isinstance(error, ContractError):
            raise error
        early = error is not None and error.code in {
            "AuthorizationFailed", "MissingSubscriptionRegistration", "RequestDisallowedByPolicy",
            "StorageAccountAlreadyTaken", "InvalidResourceLocation",
        }  # fmt: skip
        if early and error is not None:
            wrong.append(error)
        elif error is not None:
            break
    if wrong:
        message = (
            f"The template deployment '{deployment.name}' is not valid according to the validation "
            "procedure. See inner errors for details."
        )
        raise ArmError(400, "InvalidTemplateDeployment", message, wrong)


def tried(state: State, deployment: Deployment) -> list[tuple[Wanted, ArmError | None]]:
    """Each resource that the deployment would put, and the error that it would end in.

    Works on a copy of what exists.
    """
    trial = state.trial()
    found: list[tuple[Wanted, ArmError | None]] = []
    try:
        template = evaluate(
            deployment.template, deployment.parameters, Place(trial, deployment.group), preview=True
        )
        for wanted in template.resources():
            if wanted.type == DEPLOYMENTS:
                continue
            try:
                store(trial, ResourceId.parse(wanted.id), wanted.api_version, dict(wanted.body))
                found.append((wanted, None))
            except ArmError as error:
                found.append((wanted, error))
    except TemplateError as error:
        raise invalid(str(error)) from error
    return found


async def run(arm: Arm, deployment: Deployment, template: Template) -> Reply:
    """Puts the resources. Raises `ArmError` with the first that fails in its details."""
    deployment.state = "Running"
    try:
        await arm.operations.step()
        for wanted in template.resources():
            await _deploy(arm, deployment, wanted)
        deployment.outputs = template.outputs()
    except (ArmError, TemplateError, Unresolved) as error:
        deployment.state = "Failed"
        inner = error if isinstance(error, ArmError) else invalid(str(error))
        message = (
            "At least one resource deployment operation failed. Please list deployment operations "
            "for details. Please see https://aka.ms/arm-deployment-operations for usage details."
        )
        deployment.error = ArmError(409, "DeploymentFailed", message, [inner])
        raise deployment.error from error
    deployment.operations.append(_operation(deployment, None))
    deployment.state = "Succeeded"
    return Reply(200, deployment.view())


async def _deploy(arm: Arm, deployment: Deployment, wanted: Wanted) -> None:
    operation = _operation(deployment, wanted)
    deployment.operations.append(operation)
    properties = operation["properties"]
    try:
        if wanted.type == DEPLOYMENTS:
            await arm.operations.step()
        else:
            resource = store(
                arm.state, ResourceId.parse(wanted.id), wanted.api_version, dict(wanted.body)
            )
            pending = kind_of(wanted.type).pending
            if pending is not None:
                resource.properties["provisioningState"] = pending
                await settle(arm, resource)
    except ArmError as error:
        properties.update(
            provisioningState="Failed",
            statusCode="Conflict" if error.status == 409 else "BadRequest",
            statusMessage={"status": "Failed", "error": error.body},
        )
        raise
    properties.update(provisioningState="Succeeded", statusCode="Created")


def _operation(deployment: Deployment, wanted: Wanted | None) -> Json:
    """What the list of operations shows; without a resource it is the evaluation of outputs."""
    operation = new_id().replace("-", "")[:16].upper()
    properties: Json = {
        "provisioningOperation": "Create" if wanted else "EvaluateDeploymentOutput",
        "provisioningState": "Running" if wanted else "Succeeded",
        "timestamp": now(),
        "duration": "PT0.1S",
    }
    if wanted:
        properties["targetResource"] = {
            "id": wanted.id,
            "resourceType": wanted.type,
            "resourceName": wanted.name,
            "apiVersion": wanted.api_version,
        }
    name = f"{deployment.id}/operations/{operation}"
    return {"id": name, "operationId": operation, "properties": properties}
