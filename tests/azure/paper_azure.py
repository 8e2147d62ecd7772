"""An Azure on paper: what a deployment of the template would create, held against the contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.azure import contracts
from tests.azure.arm.deployment import Resource, evaluate
from tests.azure.arm.errors import Unresolved

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@dataclass
class Azure:
    """A resource group, and all resources of the subscription, as they were put, by their ids."""

    resource_group: str = "team"
    subscription_id: str = SUBSCRIPTION
    tenant_id: str = "00000000-0000-0000-0000-00000000000f"
    location: str = "westeurope"
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)

    def reference(self, resource_id: str, api_version: str, full: bool) -> Mapping[str, Any]:
        """A resource, which must have been put before."""
        if resource_id not in self.resources:
            raise Unresolved(resource_id)
        resource = self.resources[resource_id]
        return resource if full else resource["properties"]

    def list_keys(self, resource_id: str, api_version: str) -> Mapping[str, Any]:
        """Keys that tell whose they are."""
        if resource_id not in self.resources:
            raise Unresolved(resource_id)
        key = f"key of {resource_id.rpartition('/')[2]}"
        return {"keys": [{"value": key}], "primarySharedKey": key}

    def group(self, name: str) -> Azure:
        """Another resource group, with the same resources."""
        return Azure(name, resources=self.resources)

    def id_of(self, kind: str, *names: str) -> str:
        """The id of a resource of this group."""
        namespace, *segments = kind.split("/")
        pairs = "/".join(f"{s}/{n}" for s, n in zip(segments, names, strict=True))
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/{namespace}/{pairs}"


@dataclass
class Deployed:
    """What was put, in its order, and the values of the outputs."""

    resources: list[Resource]
    outputs: dict[str, Any]

    def one(self, kind: str, name: str | None = None) -> Resource:
        """The one resource of a type, and of a name if there are several."""
        (found,) = [r for r in self.resources if r.type == kind and name in {None, r.name}]
        return found

    @property
    def types(self) -> list[str]:
        """The types that were put, without their namespace."""
        return [r.type.partition("/")[2] for r in self.resources]


def deploy(template: Mapping[str, Any], values: Mapping[str, Any], azure: Azure) -> Deployed:
    """Deploys, and asserts that Azure would have accepted each resource."""
    deployment = evaluate(template, {key: {"value": v} for key, v in values.items()}, azure)
    put = []
    for resource in deployment.resources():
        name = resource.name.rpartition("/")[2]
        faults = contracts.violations(resource.type, name, resource.body, resource.api_version)
        if resource.type == contracts.APPS:
            faults += _placement(resource, azure)
        assert faults == [], resource.id
        azure.resources[resource.id] = _as_azure_shows_it(resource)
        put.append(resource)
    outputs = {name: output["value"] for name, output in deployment.outputs().items()}
    return Deployed(put, outputs)


def _placement(app: Resource, azure: Azure) -> list[str]:
    environment = app.body["properties"]["environmentId"]
    below = f"{environment}/storages/"
    storages = {id_.removeprefix(below) for id_ in azure.resources if id_.startswith(below)}
    return contracts.placement_violations(app.body, azure.resources.get(environment), storages)


def _as_azure_shows_it(resource: Resource) -> dict[str, Any]:
    """The body, with what Azure adds and others refer to."""
    shown = dict(resource.body)
    properties = dict(shown.get("properties", {}))
    if resource.type == contracts.WORKSPACES:
        properties["customerId"] = f"id of {resource.name}"
    if resource.type == contracts.APPS:
        configuration = dict(properties["configuration"])
        internal = "" if configuration["ingress"]["external"] else ".internal"
        fqdn = f"{resource.name}{internal}.example.azurecontainerapps.io"
        configuration["ingress"] = {**configuration["ingress"], "fqdn": fqdn}
        properties["configuration"] = configuration
    return {**shown, "properties": properties}
