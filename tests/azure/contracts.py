"""What Azure accepts: every body that is sent to it is held against this.

Shapes come from the types of Azure's own libraries (``strict_types``), limits from its documents:
https://learn.microsoft.com/azure/container-apps/azure-resource-manager-api-spec
https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from tests.azure import container_app_rules, environment_rules
from tests.azure.strict_types import Library

Body = Mapping[str, Any]
Rule = Callable[[Body], Iterator[str]]

APPS = "Microsoft.App/containerApps"
ENVIRONMENTS = "Microsoft.App/managedEnvironments"
ENVIRONMENT_STORAGES = "Microsoft.App/managedEnvironments/storages"
STORAGE_ACCOUNTS = "Microsoft.Storage/storageAccounts"
FILE_SERVICES = "Microsoft.Storage/storageAccounts/fileServices"
SHARES = "Microsoft.Storage/storageAccounts/fileServices/shares"
WORKSPACES = "Microsoft.OperationalInsights/workspaces"
DEPLOYMENTS = "Microsoft.Resources/deployments"

_APP_VERSIONS = ("2024-03-01", "2025-01-01", "2025-07-01", "2026-01-01", "2026-07-01")
_STORAGE_VERSIONS = ("2023-01-01", "2023-05-01", "2024-01-01", "2025-01-01", "2026-09-01")
API_VERSIONS: Mapping[str, tuple[str, ...]] = {
    APPS: _APP_VERSIONS,
    ENVIRONMENTS: _APP_VERSIONS,
    ENVIRONMENT_STORAGES: _APP_VERSIONS,
    STORAGE_ACCOUNTS: _STORAGE_VERSIONS,
    FILE_SERVICES: _STORAGE_VERSIONS,
    SHARES: _STORAGE_VERSIONS,
    WORKSPACES: ("2022-10-01", "2023-09-01", "2025-02-01", "2025-07-01"),
    DEPLOYMENTS: ("2022-09-01", "2024-03-01", "2025-04-01", "2026-06-01"),
}
"""Stable versions of Azure's interfaces, by type of resource."""

_NAMES = {
    APPS: (r"(?!.*--)[a-z][a-z0-9-]*[a-z0-9]", 2, 32),
    ENVIRONMENTS: (r"[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]", 2, 60),
    ENVIRONMENT_STORAGES: (r"(?!.*--)[a-z][a-z0-9-]*[a-z0-9]", 2, 32),
    STORAGE_ACCOUNTS: (r"[a-z0-9]+", 3, 24),
    FILE_SERVICES: (r"default", 7, 7),
    SHARES: (r"(?!.*--)[a-z0-9][a-z0-9-]*[a-z0-9]", 3, 63),
    WORKSPACES: (r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", 4, 63),
    DEPLOYMENTS: (r"[-\w.()]+", 1, 64),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class WorkspaceSku(_Strict):
    """How a workspace is paid for."""

    name: Literal["PerGB2018", "CapacityReservation", "Standalone"]
    capacity_reservation_level: int = 100


class WorkspaceProperties(_Strict):
    """What a Log Analytics workspace can be told."""

    sku: WorkspaceSku
    retention_in_days: int = Field(30, ge=30, le=730)
    workspace_capping: dict[str, float] = {}
    features: dict[str, bool] = {}
    public_network_access_for_ingestion: Literal["Enabled", "Disabled"] = "Enabled"
    public_network_access_for_query: Literal["Enabled", "Disabled"] = "Enabled"


class Workspace(_Strict):
    """``Microsoft.OperationalInsights/workspaces``, which none of the libraries here covers."""

    location: str
    tags: dict[str, str] = {}
    properties: WorkspaceProperties


def violations(kind: str, name: str, body: Body, api_version: str) -> list[str]:
    """Everything for which Azure would refuse a body, in words; nothing if it would not.

    ``name`` is the last segment of the resource's name.
    """
    if kind not in _NAMES:
        return [f"{kind} is not known here"]
    found = []
    if api_version not in API_VERSIONS[kind]:
        found.append(f"{kind} has no stable API version {api_version}")
    pattern, least, most = _NAMES[kind]
    if not least <= len(name) <= most or not re.fullmatch(pattern, name):
        found.append(f"{kind} can't be named {name!r}: {pattern}, {least} to {most} characters")
    try:
        _model(kind).model_validate(body)
    except ValidationError as error:
        places = ((".".join(map(str, e["loc"])), e["msg"], e["input"]) for e in error.errors())
        found += [f"{kind} {place}: {message}: {given!r}" for place, message, given in places]
    else:
        found += [f"{kind} {fault}" for rule in _RULES.get(kind, ()) for fault in rule(body)]
    return found


placement_violations = container_app_rules.placement_violations


@functools.cache
def _model(kind: str) -> type[BaseModel]:
    if kind == WORKSPACES:
        return Workspace
    package, name = _TYPES[kind]
    return _library(package).model(name)


@functools.cache
def _library(package: str) -> Library:
    # The official compiler writes values of deployments in lower case.
    any_case = package == _DEPLOYMENT_LIBRARY
    types, models = import_module(f"{package}.types"), import_module(f"{package}.models")
    return Library(types, models, any_case=any_case)


_APP_LIBRARY = "azure.mgmt.appcontainers"
_STORAGE_LIBRARY = "azure.mgmt.storage"
_DEPLOYMENT_LIBRARY = "azure.mgmt.resource.deployments"
_TYPES = {
    APPS: (_APP_LIBRARY, "ContainerApp"),
    ENVIRONMENTS: (_APP_LIBRARY, "ManagedEnvironment"),
    ENVIRONMENT_STORAGES: (_APP_LIBRARY, "ManagedEnvironmentStorage"),
    STORAGE_ACCOUNTS: (_STORAGE_LIBRARY, "StorageAccountCreateParameters"),
    FILE_SERVICES: (_STORAGE_LIBRARY, "FileServiceProperties"),
    SHARES: (_STORAGE_LIBRARY, "FileShare"),
    DEPLOYMENTS: (_DEPLOYMENT_LIBRARY, "Deployment"),
}


def _tags(body: Body) -> Iterator[str]:
    tags = body.get("tags", {})
    if len(tags) > 50:
        yield f"has {len(tags)} tags; 50 are allowed"
    for key, value in tags.items():
        if not 0 < len(key) <= 512 or len(value) > 256 or re.search(r"[<>%&\\?/]", key):
            yield f"tag {key!r}: {value!r} is not allowed"


def _share(body: Body) -> Iterator[str]:
    quota = body.get("properties", {}).get("shareQuota", 1)
    if not 1 <= quota <= 102_400:
        yield f"shareQuota {quota} GiB is not 1 to 102400"


def _file_service(body: Body) -> Iterator[str]:
    policy = body.get("properties", {}).get("shareDeleteRetentionPolicy", {})
    if policy.get("enabled") and not 1 <= policy.get("days", 0) <= 365:
        yield "shareDeleteRetentionPolicy.days is not 1 to 365"


_RULES: Mapping[str, tuple[Rule, ...]] = {
    APPS: (_tags, container_app_rules.violations),
    ENVIRONMENTS: (_tags, environment_rules.violations),
    ENVIRONMENT_STORAGES: (environment_rules.storage_violations,),
    STORAGE_ACCOUNTS: (_tags,),
    FILE_SERVICES: (_file_service,),
    SHARES: (_share,),
    WORKSPACES: (_tags,),
}
