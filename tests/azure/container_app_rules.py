"""Limits of container apps."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tests.azure.environment_rules import GPU_SIZES

Body = Mapping[str, Any]

_PROBE_LIMITS = {
    "failureThreshold": (1, 10),
    "successThreshold": (1, 10),
    "initialDelaySeconds": (1, 60),
    "periodSeconds": (1, 240),
    "timeoutSeconds": (1, 240),
    "terminationGracePeriodSeconds": (0, 3600),
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ENVIRONMENT_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.App/managedEnvironments/[^/]+"
)


def violations(body: Body) -> Iterator[str]:
    """What Azure would refuse in a container app, whatever its environment."""
    properties = body.get("properties", {})
    template, configuration = properties.get("template", {}), properties.get("configuration", {})
    if not _ENVIRONMENT_ID.fullmatch(properties.get("environmentId", "")):
        yield f"environmentId {properties.get('environmentId')!r} is no id of an environment"
    yield from _secrets(configuration.get("secrets", []))
    yield from _ingress(configuration)
    yield from _scale(template.get("scale", {}))
    yield from _twice("volume", template.get("volumes", []))
    yield from _twice("container", template.get("containers", []))
    if not template.get("containers"):
        yield "has no container"
    if not 0 <= template.get("terminationGracePeriodSeconds", 0) <= 600:
        yield "terminationGracePeriodSeconds is not 0 to 600"
    suffix = template.get("revisionSuffix", "")
    if suffix and not re.fullmatch(r"(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?", suffix):
        yield f"revisionSuffix {suffix!r} is not of a-z, 0-9 and single hyphens"
    for volume in template.get("volumes", []):
        if volume.get("storageType") in {"AzureFile", "NfsAzureFile"} and not volume.get(
            "storageName"
        ):
            yield f"volume {volume.get('name')} has no storageName"
    secrets = {secret.get("name") for secret in configuration.get("secrets", [])}
    volumes = {volume.get("name") for volume in template.get("volumes", [])}
    for container in template.get("containers", []):
        yield from _container(container, secrets, volumes)


def placement_violations(
    body: Body, environment: Body | None, storages: Collection[str]
) -> list[str]:
    """What Azure would refuse because of the environment: a profile, size or storage it lacks."""
    if environment is None:
        return ["the environment does not exist"]
    properties = body["properties"]
    profiles = environment.get("properties", {}).get("workloadProfiles", [])
    types = {profile["name"]: profile["workloadProfileType"] for profile in profiles}
    profile = properties.get("workloadProfileName", "Consumption")
    found = []
    if types and profile not in types:
        return [f"the environment has no workload profile {profile!r}; it has {sorted(types)}"]
    if (
        body["location"].replace(" ", "").lower()
        != environment["location"].replace(" ", "").lower()
    ):
        found.append(f"is in {body['location']}, its environment in {environment['location']}")
    resources = [c.get("resources", {}) for c in properties["template"]["containers"]]
    cpu = sum(resource.get("cpu", 0.5) for resource in resources)
    memory = sum(_gibibytes(resource.get("memory", "1Gi")) or 0 for resource in resources)
    found += _size(types.get(profile, "Consumption"), cpu, memory)
    for volume in properties["template"].get("volumes", []):
        name = volume.get("storageName")
        if name is not None and name not in storages:
            found.append(f"the environment has no storage {name!r}; it has {sorted(storages)}")
    return found


def _region(body: Body) -> str:
    return str(body["location"]).replace(" ", "").lower()


def _size(kind: str, cpu: float, memory: float) -> Iterator[str]:
    if kind == "Consumption":
        if cpu % 0.25 or not 0.25 <= cpu <= 4 or memory != 2 * cpu:
            yield f"{cpu} vCPU and {memory} Gi are no size of the profile Consumption"
    elif kind in GPU_SIZES and (cpu > GPU_SIZES[kind][0] or memory > GPU_SIZES[kind][1]):
        yield f"{cpu} vCPU and {memory} Gi do not fit {kind}"


def _gibibytes(text: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)Gi", text)
    return float(match[1]) if match else None


def _secrets(secrets: list[Body]) -> Iterator[str]:
    yield from _twice("secret", secrets)
    for secret in secrets:
        if not _NAME.fullmatch(secret.get("name", "")):
            yield f"a secret can't be named {secret.get('name')!r}"
        if bool(secret.get("value")) == bool(secret.get("keyVaultUrl")):
            yield f"secret {secret.get('name')} has no value, or two"


def _ingress(configuration: Body) -> Iterator[str]:
    ingress = configuration.get("ingress")
    if ingress is None:
        return
    if not 1 <= ingress.get("targetPort", 0) <= 65535:
        yield "ingress has no targetPort"
    sticky = ingress.get("stickySessions", {}).get("affinity") == "sticky"
    if sticky and configuration.get("activeRevisionsMode", "Single") != "Single":
        yield "sticky sessions need the revision mode Single"
    if sticky and ingress.get("transport") == "tcp":
        yield "sticky sessions need HTTP"
    rules = ingress.get("ipSecurityRestrictions", [])
    yield from _twice("IP rule", rules)
    if len({rule["action"] for rule in rules}) > 1:
        yield "IP rules are all Allow or all Deny"
    for rule in rules:
        try:
            ipaddress.IPv4Network(rule["ipAddressRange"], strict=False)
        except ValueError:
            yield f"{rule['ipAddressRange']!r} is no range of IPv4 addresses"


def _scale(scale: Body) -> Iterator[str]:
    least, most = scale.get("minReplicas", 0), scale.get("maxReplicas", 10)
    if not 0 <= least <= most or not 1 <= most <= 1000:
        yield f"{least} to {most} replicas are not 0 to 1000, in order"
    yield from _twice("scale rule", scale.get("rules", []))
    for rule in scale.get("rules", []):
        kinds = rule.keys() & {"http", "tcp", "custom", "azureQueue"}
        if len(kinds) != 1:
            yield f"scale rule {rule.get('name')} has kinds {sorted(kinds)}"
        if "http" in rule:
            metadata = rule["http"].get("metadata", {})
            count = metadata.get("concurrentRequests", "")
            if metadata.keys() != {"concurrentRequests"} or not re.fullmatch("[1-9][0-9]*", count):
                yield f"scale rule {rule.get('name')}: concurrentRequests is a text of digits"
    for key in ("cooldownPeriod", "pollingInterval"):
        if scale.get(key, 1) < 1:
            yield f"{key} is below 1 s"


def _container(
    container: Body, secrets: Collection[str | None], volumes: Collection[str | None]
) -> Iterator[str]:
    name = container.get("name", "")
    if not _NAME.fullmatch(name):
        yield f"a container can't be named {name!r}"
    if not container.get("image"):
        yield f"container {name} has no image"
    memory = container.get("resources", {}).get("memory", "1Gi")
    if _gibibytes(memory) is None:
        yield f"container {name}: {memory!r} is no amount in Gi"
    yield from _twice("variable", container.get("env", []))
    for variable in container.get("env", []):
        if ("value" in variable) == ("secretRef" in variable):
            yield f"variable {variable.get('name')} has neither or both of value and secretRef"
        if "secretRef" in variable and variable["secretRef"] not in secrets:
            yield f"there is no secret {variable['secretRef']!r}"
    for mount in container.get("volumeMounts", []):
        if mount.get("volumeName") not in volumes:
            yield f"there is no volume {mount.get('volumeName')!r}"
        path = mount.get("mountPath", "")
        if not path.startswith("/") or ":" in path:
            yield f"{path!r} is no path to mount at"
    for probe in container.get("probes", []):
        yield from _probe(probe)
    types = Counter(probe.get("type") for probe in container.get("probes", []))
    yield from (f"container {name} has two probes {kind}" for kind in types if types[kind] > 1)


def _probe(probe: Body) -> Iterator[str]:
    kind = probe.get("type", "probe without type")
    if ("httpGet" in probe) == ("tcpSocket" in probe):
        yield f"{kind} is either httpGet or tcpSocket"
    for key, (least, most) in _PROBE_LIMITS.items():
        if not least <= probe.get(key, least) <= most:
            yield f"{kind}: {key} {probe[key]} is not {least} to {most}"
    if kind in {"Liveness", "Startup"} and probe.get("successThreshold", 1) != 1:
        yield f"{kind}: successThreshold is 1"
    target = probe.get("httpGet", probe.get("tcpSocket", {}))
    if not 1 <= target.get("port", 0) <= 65535:
        yield f"{kind}: no port"
    if not target.get("path", "/").startswith("/"):
        yield f"{kind}: {target['path']!r} is no path"


def _twice(what: str, items: list[Body]) -> Iterator[str]:
    names = Counter(item.get("name") for item in items)
    yield from (f"two of {what} are named {name!r}" for name in names if names[name] > 1)
