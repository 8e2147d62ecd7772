"""What is there already, and what follows from it for the template.

What inference has created it keeps up to date. What somebody else made, above all the fine-tuning
step, is used and left as it is: the template does not know what was set there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remora.azure.change import Action, Change
from remora.azure.environment import Environment, read_environment
from remora.azure.failures import azure_errors
from remora.azure.inventory import (
    ENVIRONMENT,
    STORAGE_ACCOUNT,
    WORKSPACE,
    Resource,
    find,
    inventory,
)
from remora.azure.parameters import Origin, Source
from remora.azure.sizes import NO_GPU
from remora.azure.workload_profiles import CONSUMPTION, Profile, merged, profile_for

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.places import Group

# The names that the template gives to profiles.
_PROFILE_NAMES = {
    NO_GPU: CONSUMPTION,
    "Consumption-GPU-NC8as-T4": "GPU-T4",
    "Consumption-GPU-NC24-A100": "GPU-A100",
}
_DEDICATED_NAME = "GPU"


@dataclass(frozen=True, slots=True)
class Existing:
    """What is there of the resources that the parameters name. ``resources`` are all of the
    group's."""

    resources: tuple[Resource, ...] = ()
    account: Resource | None = None
    has_share: bool = False
    workspace: Resource | None = None
    environment: Environment | None = None


def look(clients: Clients, group: Group, names: Mapping[str, Any]) -> Existing:
    """Ask Azure; ``names`` are the template's parameters that name resources and their groups."""
    here = tuple(inventory(clients, group.name)) if group.exists else ()
    elsewhere = {group.name.lower(): here}

    def resources_of(parameter: str) -> tuple[Resource, ...]:
        other = str(names.get(parameter) or group.name)
        if other.lower() not in elsewhere:
            elsewhere[other.lower()] = tuple(inventory(clients, other))
        return elsewhere[other.lower()]

    account = find(
        resources_of("storageAccountResourceGroup"), STORAGE_ACCOUNT, names["storageAccountName"]
    )
    workspace = find(
        resources_of("acaLogAnalyticsResourceGroup"), WORKSPACE, names["acaLogAnalyticsName"]
    )
    environment_group = str(names.get("acaEnvironmentResourceGroup") or group.name)
    is_there = group.exists or environment_group.lower() != group.name.lower()
    return Existing(
        resources=here,
        account=account,
        has_share=account is not None and _has_share(clients, account, names["fileShareName"]),
        workspace=workspace,
        environment=read_environment(clients, environment_group, names["acaEnvironmentName"])
        if is_there
        else None,
    )


def follows(existing: Existing, *, gpu: str, most: int) -> Source:
    """Values of the template's parameters that what is there decides; ``gpu`` is the type of the
    GPU app's profile, empty where the template alone knows it, ``most`` how many replicas it has.
    """
    values: dict[str, Any] = {"tagSharedResources": True}
    places = {"tagSharedResources": "so that `remora down` knows what inference created"}

    def leave(parameter: str, what: str) -> None:
        values[parameter], places[parameter] = False, f"{what} is there, and is left as it is"

    if existing.account is not None and not existing.account.is_inference:
        leave("createStorageAccount", "the storage account")
        if existing.has_share:
            leave("createFileShare", "the share")
    if existing.workspace is not None and not existing.workspace.is_inference:
        leave("createLogAnalytics", "the workspace")
    if (environment := existing.environment) is not None:
        profiles = wanted_profiles(environment, gpu=gpu, most=most) if gpu else []
        name = profile_name(environment.profiles, gpu)
        values |= {"location": environment.location, "gpuProfileName": name}
        places |= dict.fromkeys(("location", "gpuProfileName"), "the environment that is there")
        if environment.is_inference:
            values["workloadProfiles"] = profiles
            places["workloadProfiles"] = "those of the environment, and the one for inference"
        else:
            leave("createEnvironment", "the environment")
    return Source(Origin.EXISTING, values, places)


def left_alone(existing: Existing) -> list[Change]:
    """What inference uses of others, for the plan."""
    environment = existing.environment
    found = [
        (WORKSPACE, one.name) if (one := existing.workspace) and not one.is_inference else None,
        (STORAGE_ACCOUNT, one.name) if (one := existing.account) and not one.is_inference else None,
        (ENVIRONMENT, environment.name) if environment and not environment.is_inference else None,
    ]
    reason = "is there, and is used as it is"
    return [Change(Action.NONE, kind, name, reason) for kind, name in filter(None, found)]


def wanted_profiles(environment: Environment, *, gpu: str, most: int) -> list[dict[str, Any]]:
    """All profiles that an environment should have: its own, and the one for inference."""
    name = profile_name(environment.profiles, gpu)
    wanted = {"name": name, "workloadProfileType": CONSUMPTION if gpu == NO_GPU else gpu}
    return merged(environment.profiles, [wanted | {"minimumCount": 0, "maximumCount": most}])


def added_profiles(existing: Existing, *, gpu: str, most: int) -> list[dict[str, Any]]:
    """The profiles to set on an environment that the template leaves as it is; empty if it has
    what inference needs."""
    environment = existing.environment
    if environment is None or environment.is_inference or not gpu:
        return []
    wanted = wanted_profiles(environment, gpu=gpu, most=most)
    return [] if wanted == merged(environment.profiles, []) else wanted


def profile_name(profiles: Sequence[Profile], gpu: str) -> str:
    """The name of the profile that the GPU app runs on: an existing one's, or the template's."""
    kind = CONSUMPTION if gpu == NO_GPU else gpu
    return profile_for(profiles, kind, _PROFILE_NAMES.get(gpu, _DEDICATED_NAME))


def _has_share(clients: Clients, account: Resource, share: str) -> bool:
    from azure.core.exceptions import ResourceNotFoundError

    from remora.azure.resource_id import parse

    with azure_errors(f"looking for the share {share}"):
        try:
            clients.storage.file_shares.get(parse(account.id).group, account.name, share)
        except ResourceNotFoundError:
            return False
    return True
