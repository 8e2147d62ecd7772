"""Microsoft.App: managed environments, their storages, and the fine-tuning step's jobs."""

from __future__ import annotations

import copy
import hashlib

from tests.azure.double.capacity import GPUS
from tests.azure.double.errors import ArmError
from tests.azure.double.kinds import Kind, as_given, location_of
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Json, Resource, State

ENVIRONMENTS = "Microsoft.App/managedEnvironments"
STORAGES = f"{ENVIRONMENTS}/storages"
JOBS = "Microsoft.App/jobs"
_CONSUMPTION = {"name": "Consumption", "workloadProfileType": "Consumption"}


def domain(resource_id: ResourceId, location: str) -> str:
    word = hashlib.sha256(resource_id.key.encode()).hexdigest()[:8]
    return f"kindhill-{word}.{location}.azurecontainerapps.io"


def _environment(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    location = location_of(body["location"])
    given: Json = body.get("properties", {})
    profiles = copy.deepcopy(given.get("workloadProfiles") or [_CONSUMPTION])
    old = (before or {}).get("properties", {}).get("workloadProfiles", [])
    had = {(profile["name"], profile["workloadProfileType"]) for profile in old}
    for profile in profiles:
        kind = profile["workloadProfileType"]
        if (profile["name"], kind) not in had:
            _check_profile(state, kind, location, is_new=before is None)
    _check_dropped(state, resource_id, profiles)
    properties = {
        "zoneRedundant": False,
        "publicNetworkAccess": "Enabled",
        **given,
        "workloadProfiles": profiles,
        "defaultDomain": domain(resource_id, location),
        "staticIp": "20.0.0.4",
        "eventStreamEndpoint": f"{state.origin}{_streams(resource_id)}/eventstream",
        "provisioningState": "Succeeded",
    }
    return {"tags": {}, **body, "properties": properties}


def _streams(environment: ResourceId) -> str:
    group = f"/subscriptions/{environment.subscription}/resourceGroups/{environment.group}"
    return f"{group}/managedEnvironments/{environment.name}"


def _check_profile(state: State, profile: str, location: str, *, is_new: bool) -> None:
    if profile in GPUS and profile not in state.offered_profiles(location):
        raise ArmError(
            400,
            "WorkloadProfileNotSupportedInRegion",
            f"The workload profile type '{profile}' is not supported in region '{location}'.",
        )
    is_dedicated = profile in GPUS and not profile.startswith("Consumption")
    if is_dedicated and not is_new:
        raise ArmError(
            400,
            "WorkloadProfileNotSupported",
            f"The workload profile type '{profile}' can only be had by a new environment.",
        )
    if is_dedicated and not _quota(state, profile):
        raise quota_refused(profile, location)


def _quota(state: State, profile: str) -> int:
    return state.gpu_quota.get(profile, 0)


def quota_refused(profile: str, location: str) -> ArmError:
    return ArmError(
        400,
        "QuotaExceeded",
        f"Maximum allowed GPUs exceeded for workload profile type '{profile}' in region "
        f"'{location}'. Please check https://learn.microsoft.com/en-us/azure/container-apps/quotas "
        "for resource limits.",
    )


def _check_dropped(state: State, resource_id: ResourceId, profiles: list[Json]) -> None:
    names = {profile["name"] for profile in profiles}
    for kind in ("Microsoft.App/containerApps", JOBS):
        for found in state.of_type(kind):
            where = found.properties.get("environmentId") or found.properties.get(
                "managedEnvironmentId", ""
            )
            used = found.properties.get("workloadProfileName") or "Consumption"
            if where.lower() == resource_id.key and used not in names:
                raise ArmError(
                    400,
                    "WorkloadProfileInUse",
                    f"The workload profile '{used}' can't be removed: '{found.id.name}' uses it.",
                )


def _without_key(state: State, resource: Resource) -> Json:
    shown = copy.deepcopy(resource.body)
    shown["properties"].get("azureFile", {}).pop("accountKey", None)
    return shown


def _without_shared_key(state: State, resource: Resource) -> Json:
    shown = copy.deepcopy(resource.body)
    logs = shown["properties"].get("appLogsConfiguration") or {}
    (logs.get("logAnalyticsConfiguration") or {}).pop("sharedKey", None)
    return shown


def _job(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    return {**body, "properties": {**body["properties"], "provisioningState": "Succeeded"}}


KINDS = (
    Kind(ENVIRONMENTS, _environment, _without_shared_key, pending="InfrastructureSetupInProgress"),
    Kind(STORAGES, as_given, _without_key),
    Kind(JOBS, _job, pending="InProgress"),
)
