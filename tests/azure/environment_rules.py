"""Limits of Container Apps environments and of the storages in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

Body = Mapping[str, Any]

GPU_SIZES = {
    "Consumption-GPU-NC8as-T4": (8, 56),
    "Consumption-GPU-NC24-A100": (24, 220),
    "NC24-A100": (24, 220),
    "NC48-A100": (48, 440),
    "NC96-A100": (96, 880),
}
"""vCPU and GiB of each GPU profile."""
_OTHER_PROFILES = {
    "Consumption", "Flex",
    "D4", "D8", "D16", "D32", "E4", "E8", "E16", "E32",
}  # fmt: skip


def is_serverless(profile_type: str) -> bool:
    """Whether a profile is paid by use, and so has no counts of instances."""
    return profile_type.startswith("Consumption")


def violations(body: Body) -> Iterator[str]:
    """What Azure would refuse in an environment."""
    properties = body.get("properties", {})
    yield from _profiles(properties.get("workloadProfiles", []))
    logs = properties.get("appLogsConfiguration", {})
    destination, analytics = logs.get("destination"), logs.get("logAnalyticsConfiguration")
    if destination not in {None, "log-analytics", "azure-monitor", "none"}:
        yield f"logs can't go to {destination!r}"
    if (destination == "log-analytics") != (analytics is not None):
        yield "logAnalyticsConfiguration goes with the destination log-analytics"
    if analytics is not None and not (analytics.get("customerId") and analytics.get("sharedKey")):
        yield "logAnalyticsConfiguration needs customerId and sharedKey"


def _profiles(profiles: list[Body]) -> Iterator[str]:
    names = Counter(profile["name"] for profile in profiles)
    yield from (f"two workload profiles are named {name}" for name in names if names[name] > 1)
    if profiles and not any(p["workloadProfileType"] == "Consumption" for p in profiles):
        yield "the workload profile Consumption is missing"
    for profile in profiles:
        name, kind = profile["name"], profile["workloadProfileType"]
        if kind not in _OTHER_PROFILES and kind not in GPU_SIZES:
            yield f"workload profile {name}: there is no type {kind!r}"
        if not re.fullmatch(r"[A-Za-z0-9-]{1,31}", name):
            yield f"workload profile {name!r}: letters, digits and hyphens, at most 31"
        if kind == "Consumption" and name != "Consumption":
            yield f"workload profile {name}: the type Consumption has the same name"
        counts = {key for key in ("minimumCount", "maximumCount") if key in profile}
        if is_serverless(kind) and counts:
            yield f"WorkloadProfilePropertyNotSupported: {name} has {', '.join(sorted(counts))}"
        elif is_serverless(kind):
            continue
        elif len(counts) < 2:
            yield f"workload profile {name} needs minimumCount and maximumCount"
        elif not 0 <= profile["minimumCount"] <= profile["maximumCount"] <= 100:
            yield f"workload profile {name}: the counts are not 0 to 100, in order"


def storage_violations(body: Body) -> Iterator[str]:
    """What Azure would refuse in an environment's storage."""
    properties = body.get("properties", {})
    if len(properties) != 1:
        yield "is either azureFile or nfsAzureFile"
    file = properties.get("azureFile")
    if file is None:
        return
    given = {key for key in file if file[key]}
    missing = {"accountName", "accountKey", "accessMode", "shareName"} - given
    if missing:
        yield f"azureFile lacks {', '.join(sorted(missing))}"
    if not re.fullmatch(r"[a-z0-9]{3,24}", file.get("accountName", "")):
        yield f"accountName {file.get('accountName')!r} is no name of a storage account"
