"""The Container Apps environment that is there already, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remora.azure.failures import azure_errors
from remora.azure.inventory import CREATED_BY, TAG
from remora.azure.wire import wire

if TYPE_CHECKING:
    from remora.azure.clients import Clients


@dataclass(frozen=True, slots=True)
class Environment:
    """``profiles`` as Azure writes them; ``is_inference`` says that inference has created it."""

    group: str
    name: str
    location: str
    state: str
    profiles: tuple[dict[str, Any], ...]
    is_inference: bool


def read_environment(clients: Clients, group: str, name: str) -> Environment | None:
    """The environment of that name; None if there is none."""
    from azure.core.exceptions import ResourceNotFoundError

    with azure_errors(f"looking at the environment {name}"):
        try:
            found = clients.apps.managed_environments.get(group, name)
        except ResourceNotFoundError:
            return None
    properties: Any = found.properties
    return Environment(
        group=group,
        name=str(found.name),
        location=found.location.replace(" ", "").lower(),  # `West US 3` is `westus3`.
        state=wire(properties.provisioning_state),
        profiles=tuple(one.as_dict() for one in properties.workload_profiles or ()),
        is_inference=(found.tags or {}).get(TAG) == CREATED_BY,
    )


def set_profiles(
    clients: Clients, environment: Environment, profiles: Sequence[dict[str, Any]]
) -> None:
    """Let an environment have these profiles, and leave all else of it as it is."""
    from azure.mgmt.appcontainers.models import ManagedEnvironment, ManagedEnvironmentProperties

    body = ManagedEnvironment(
        location=environment.location,
        properties=ManagedEnvironmentProperties({"workloadProfiles": list(profiles)}),
    )
    with azure_errors(f"adding a workload profile to {environment.name}"):
        clients.apps.managed_environments.begin_update(
            environment.group, environment.name, body
        ).result()
