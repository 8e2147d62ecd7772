"""Microsoft.App: container apps, their secrets, and the revisions that changes of them make."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.azure.contracts import placement_violations
from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.capacity import GPUS
from tests.azure.double.environments import STORAGES, quota_refused
from tests.azure.double.errors import ArmError, ContractError, not_found
from tests.azure.double.kinds import Kind, as_given, location_of
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Json, Resource, State, now

APPS = "Microsoft.App/containerApps"
REVISIONS = f"{APPS}/revisions"


def _app(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    given: Json = body["properties"]
    environment = _environment_of(state, given)
    _check_place(state, body, environment)
    configuration = copy.deepcopy(given.get("configuration") or {})
    configuration.setdefault("activeRevisionsMode", "Single")
    configuration.setdefault("maxInactiveRevisions", 100)
    _check_secrets(configuration, before)
    template = _with_defaults(copy.deepcopy(given.get("template") or {}))
    old: Json = (before or {}).get("properties", {})
    same = bool(old) and old["template"] == template
    revision = old["latestRevisionName"] if same else _revision_name(resource_id, template, old)
    host = _expose(state, resource_id, configuration, environment)
    properties = {
        **given,
        "configuration": configuration,
        "template": template,
        "environmentId": str(environment.id),
        "managedEnvironmentId": str(environment.id),
        "workloadProfileName": given.get("workloadProfileName") or "Consumption",
        "latestRevisionName": revision,
        "latestReadyRevisionName": old.get("latestReadyRevisionName", revision),
        "latestRevisionFqdn": host,
        "customDomainVerificationId": hashlib.sha256(resource_id.subscription.encode())
        .hexdigest()
        .upper(),
        "outboundIpAddresses": ["20.0.0.5"],
        "eventStreamEndpoint": f"{state.origin}{streams_of(resource_id)}/eventstream",
        "runningStatus": "Running",
        "provisioningState": "Succeeded",
    }
    return {"tags": {}, **body, "properties": properties}


def streams_of(resource_id: ResourceId) -> str:
    """The path under which the log streams of an app are."""
    app = resource_id
    return f"/subscriptions/{app.subscription}/resourceGroups/{app.group}/containerApps/{app.name}"


def _environment_of(state: State, given: Json) -> Resource:
    wanted = given.get("environmentId") or given.get("managedEnvironmentId") or ""
    found = state.find(wanted)
    if found is None:
        raise ArmError(
            404, "ManagedEnvironmentNotFound", f"The environment '{wanted}' does not exist."
        )
    ready = found.properties["provisioningState"]
    if ready != "Succeeded":
        raise ArmError(
            400,
            "ManagedEnvironmentNotReadyForAppCreation",
            f"The environment '{found.id.name}' is not ready for app creation: its provisioning "
            f"state is '{ready}'.",
        )
    return found


def _check_place(state: State, body: Json, environment: Resource) -> None:
    """Raises `ContractError` for what the environment lacks, `ArmError` where quota is missing."""
    storages = {found.id.name for found in state.of_type(STORAGES, f"{environment.id.key}/")}
    lacking = placement_violations(body, environment.body, storages)
    if lacking:
        raise ContractError(f"The container app {'; '.join(lacking)}.")
    name = body["properties"].get("workloadProfileName", "Consumption")
    for profile in environment.properties["workloadProfiles"]:
        kind = profile["workloadProfileType"]
        if profile["name"] == name and kind in GPUS and not state.gpu_quota.get(kind, 0):
            raise quota_refused(kind, location_of(body["location"]))


def _check_secrets(configuration: Json, before: Json | None) -> None:
    """A secret without a value keeps the one that it has."""
    old = {s["name"]: s for s in (before or {}).get("properties", {}).get("configuration", {})
           .get("secrets") or []}  # fmt: skip
    for secret in configuration.get("secrets") or []:
        if "value" not in secret and "keyVaultUrl" not in secret:
            if secret["name"] not in old:
                raise ContractError(
                    f"Secret '{secret['name']}' has neither a value nor a Key Vault URL.",
                    "ContainerAppSecretInvalid",
                )
            secret["value"] = old[secret["name"]]["value"]


def _with_defaults(template: Json) -> Json:
    scale = {"minReplicas": None, "maxReplicas": 10, "cooldownPeriod": 300, "pollingInterval": 30}
    template["scale"] = {**scale, **(template.get("scale") or {})}
    for container in template.get("containers") or []:
        container.setdefault("name", "app")
    return template


def _revision_name(resource_id: ResourceId, template: Json, old: Json) -> str:
    suffix = template.get("revisionSuffix")
    if suffix:
        return f"{resource_id.name}--{suffix}"
    seed = json.dumps([template, old.get("latestRevisionName")], sort_keys=True)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    digest = hashlib.sha256(seed.encode()).digest()
    return f"{resource_id.name}--{''.join(letters[byte % 36] for byte in digest[:7])}"


def _expose(
    state: State, resource_id: ResourceId, configuration: Json, environment: Resource
) -> str | None:
    ingress = configuration.get("ingress")
    if not ingress:
        return None
    ingress.setdefault("external", False)
    ingress.setdefault("transport", "Auto")
    ingress.setdefault("allowInsecure", False)
    ingress.setdefault("traffic", [{"weight": 100, "latestRevision": True}])
    host = state.address_of(resource_id)
    if host is None:
        inside = "" if ingress["external"] else "internal."
        host = f"{resource_id.name}.{inside}{environment.properties['defaultDomain']}"
    ingress["fqdn"] = host
    return str(host)


def _without_secrets(state: State, resource: Resource) -> Json:
    shown = copy.deepcopy(resource.body)
    for secret in shown["properties"]["configuration"].get("secrets") or []:
        secret.pop("value", None)
    return shown


def revision_of(state: State, app: Resource) -> Resource:
    """The app's latest revision; it's made here where the app's template has changed."""
    name = app.properties["latestRevisionName"]
    resource_id = app.id.child("revisions", name)
    found = state.find(resource_id)
    if found is None:
        single = app.properties["configuration"]["activeRevisionsMode"] == "Single"
        for old in state.of_type(REVISIONS, app.id.key + "/") if single else ():
            old.properties["trafficWeight"] = 0
            if not state.runs_apps:
                old.properties.update(active=False, runningState="Stopped", replicas=0)
        found = Resource(resource_id, {"properties": {
            "createdTime": now(), "template": copy.deepcopy(app.properties["template"]),
            "fqdn": app.properties["latestRevisionFqdn"], "active": True, "replicas": 0,
            "trafficWeight": 100, "healthState": "None", "provisioningState": "Provisioned",
            "runningState": "Processing" if state.runs_apps else "Running",
        }})  # fmt: skip
        state.put(found)
    return found


KINDS = (
    Kind(APPS, _app, _without_secrets, pending="InProgress"),
    Kind(REVISIONS, as_given, is_read_only=True),
)


def app_of(arm: Arm, call: Call) -> Resource:
    """The app that a path names. Raises `ArmError` where there is none."""
    names = call.names
    resource_id = ResourceId(
        names["subscription"], names["group"], "Microsoft.App", ("containerApps",), (names["app"],)
    )
    found = arm.state.find(resource_id)
    if found is None:
        raise not_found(APPS, resource_id.name, resource_id.group)
    return found


def list_secrets(arm: Arm, call: Call) -> Reply:
    secrets: list[Any] = app_of(arm, call).properties["configuration"].get("secrets") or []
    return Reply(200, {"value": copy.deepcopy(secrets)})


def auth_token(arm: Arm, call: Call) -> Reply:
    """A token for the log streams of the app."""
    app = app_of(arm, call)
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    token = stream_token(app.id)
    return Reply(200, {
        "location": app.body["location"], "properties": {"token": token, "expires": expires}
    })  # fmt: skip


def stream_token(resource_id: ResourceId) -> str:
    return hashlib.sha256(f"stream {resource_id.key}".encode()).hexdigest()


PATH = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.App"
    "/containerApps/{app}"
)
ROUTES = (
    Route("POST", f"{PATH}/listSecrets", list_secrets, APPS),
    Route("POST", f"{PATH}/getAuthtoken", auth_token, APPS),
)
