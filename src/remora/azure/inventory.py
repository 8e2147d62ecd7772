"""What exists in a resource group, and what of it inference has created."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from remora.azure.failures import azure_errors
from remora.azure.resource_id import parse, same
from remora.azure.wire import wire

if TYPE_CHECKING:
    from azure.mgmt.appcontainers.models import ContainerApp

    from remora.azure.clients import Clients

TAG = "remora-created-by"
CREATED_BY = "inference"
FRONT_TAG = "remora-front"  # on the GPU app: the name of its front

APP = "Microsoft.App/containerApps"
ENVIRONMENT = "Microsoft.App/managedEnvironments"
ENVIRONMENT_STORAGE = "Microsoft.App/managedEnvironments/storages"
JOB = "Microsoft.App/jobs"
STORAGE_ACCOUNT = "Microsoft.Storage/storageAccounts"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"


@dataclass(frozen=True, slots=True)
class Resource:
    """``name`` as the id has it: ``environment/storage`` for a child."""

    id: str
    type: str
    name: str
    location: str = ""
    state: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def is_inference(self) -> bool:
        """Whether inference has created it."""
        return self.tags.get(TAG) == CREATED_BY


def inventory(clients: Clients, group: str) -> list[Resource]:
    """The resources of a group, without children. Raises `AzureNotFound` if it is not there."""
    with azure_errors(f"listing the resources of {group}"):
        return [
            Resource(
                id=str(one.id),
                type=str(one.type),
                name=str(one.name),
                location=one.location or "",
                state=one.provisioning_state or "",
                tags=dict(one.tags or {}),
            )
            for one in clients.resources.resources.list_by_resource_group(
                group, expand="provisioningState"
            )
        ]


def find(resources: Iterable[Resource], kind: str, name: str) -> Resource | None:
    """The resource of that type and name."""
    for one in resources:
        if one.type.lower() == kind.lower() and one.name.lower() == name.lower():
            return one
    return None


def inference_apps(resources: Iterable[Resource]) -> list[Resource]:
    """The GPU apps: they name their front, or have none because it is AI Toolkit's own code."""
    apps = [one for one in resources if same(one.type, APP) and one.is_inference]
    fronts = {one.tags.get(FRONT_TAG, "").lower() for one in apps}
    return [one for one in apps if one.name.lower() not in fronts]


def read_app(clients: Clients, group: str, name: str) -> ContainerApp | None:
    """A container app; None if there is none of that name."""
    from azure.core.exceptions import ResourceNotFoundError

    with azure_errors(f"looking at {name}"):
        try:
            return clients.apps.container_apps.get(group, name)
        except ResourceNotFoundError:
            return None


def mounted_read_only(clients: Clients, app: ContainerApp) -> list[Resource]:
    """Environment storages that only let an app read: inference makes one, fine-tuning none."""
    from azure.core.exceptions import ResourceNotFoundError

    properties: Any = app.properties
    environment = parse(properties.environment_id or properties.managed_environment_id or "")
    volumes = properties.template.volumes or [] if properties.template else []
    found = []
    for volume in volumes:
        with azure_errors(f"looking at the storage {volume.storage_name}"):
            try:
                storage = clients.apps.managed_environments_storages.get(
                    environment.group, environment.name, volume.storage_name
                )
            except ResourceNotFoundError:
                continue
        files = storage.properties.azure_file if storage.properties else None
        if files and wire(files.access_mode).lower() == "readonly":
            name = f"{environment.name}/{volume.storage_name}"
            found.append(Resource(str(storage.id), ENVIRONMENT_STORAGE, name))
    return found


def running_replicas(clients: Clients, group: str, app: str) -> int:
    """Replicas of the active revisions; those are what is paid for."""
    with azure_errors(f"counting the replicas of {app}"):
        return sum(
            one.properties.replicas or 0
            for one in clients.apps.container_apps_revisions.list_revisions(group, app)
            if one.properties and one.properties.active
        )
