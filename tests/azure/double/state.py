"""What exists: one tenant's subscriptions, groups, resources and limits, all in memory."""

from __future__ import annotations

import copy
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.azure.double.errors import ArmError
from tests.azure.double.resource_id import ResourceId

Json = dict[str, Any]

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "99999999-9999-4999-8999-999999999999"
NAMESPACES = (
    "Microsoft.App",
    "Microsoft.Authorization",
    "Microsoft.OperationalInsights",
    "Microsoft.Resources",
    "Microsoft.Storage",
)
T4 = "Consumption-GPU-NC8as-T4"
A100 = "Consumption-GPU-NC24-A100"
DEDICATED = ("NC24-A100", "NC48-A100", "NC96-A100")
_A100_REGIONS = frozenset(
    {"australiaeast", "brazilsouth", "canadacentral", "eastus", "italynorth", "swedencentral"}
    | {"westus", "westus3"}
)
_T4_REGIONS = frozenset(
    {"centralindia", "francecentral", "japaneast", "northcentralus", "southcentralus"}
    | {"southeastasia", "southindia", "westeurope", "westus2"}
)
_DEDICATED_REGIONS = frozenset({"westus3", "northeurope"})


@dataclass
class Subscription:
    """``providers`` maps a namespace to its state of registration."""

    id: str
    name: str
    state: str = "Enabled"
    providers: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(NAMESPACES, "Registered")
    )


@dataclass
class Group:
    subscription: str
    name: str
    location: str
    tags: dict[str, str] = field(default_factory=dict)
    state: str = "Succeeded"

    @property
    def id(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.name}"


@dataclass
class Resource:
    """``body`` is what was stored, secrets included; what a GET shows is its kind's matter.

    ``written`` are the properties as the last PUT gave them.
    """

    id: ResourceId
    body: Json
    written: Json = field(default_factory=dict)

    @property
    def properties(self) -> Json:
        properties: Json = self.body["properties"]
        return properties


Watcher = Callable[[ResourceId, Resource | None], None]


def _no_address(_: ResourceId) -> str | None:
    return None


@dataclass
class State:
    """``folder`` holds the shares. ARM answers at ``origin``, the shares at ``files_origin``."""

    folder: Path
    origin: str = "https://127.0.0.1"
    files_origin: str = "https://127.0.0.1"
    tenant: str = TENANT
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    watchers: list[Watcher] = field(default_factory=list)
    taken_names: set[str] = field(default_factory=set)
    """Storage account names that somebody else has."""
    permissions: list[Json] = field(default_factory=lambda: [{"actions": ["*"], "notActions": []}])
    profiles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The GPU profiles of a region, where they are other than in Azure."""
    gpu_quota: dict[str, int] = field(default_factory=lambda: {A100: 1, T4: 1, "NC24-A100": 1})
    """GPUs by profile that the subscription may use at the same time."""
    gpus_in_use: Mapping[str, int] = field(default_factory=dict)
    refusals: list[tuple[str, ArmError]] = field(default_factory=list)
    """Types of resources that can't be written, and why: a policy, say."""
    renewed_keys: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often key 1 or 2 of a storage account was made anew."""
    runs_apps: bool = False
    address_of: Callable[[ResourceId], str | None] = _no_address
    """The host and port at which an app answers, where apps really run."""

    def subscription(self, name: str, resource_id: str = SUBSCRIPTION) -> Subscription:
        """A new subscription."""
        self.subscriptions[resource_id] = Subscription(resource_id, name)
        return self.subscriptions[resource_id]

    def group(
        self, name: str, location: str = "westus3", subscription: str = SUBSCRIPTION
    ) -> Group:
        """A new resource group."""
        group = Group(subscription, name, location)
        self.groups[group.id.lower()] = group
        return group

    def find_group(self, subscription: str, name: str) -> Group | None:
        return self.groups.get(f"/subscriptions/{subscription}/resourcegroups/{name}".lower())

    def find(self, resource_id: ResourceId | str) -> Resource | None:
        return self.resources.get(
            resource_id.key if isinstance(resource_id, ResourceId) else resource_id.lower()
        )

    def put(self, resource: Resource) -> None:
        self.resources[resource.id.key] = resource
        for watcher in tuple(self.watchers):
            watcher(resource.id, resource)

    def remove(self, resource_id: ResourceId) -> None:
        """Removes a resource and what is under it."""
        for key in [key for key in self.resources if f"{key}/".startswith(f"{resource_id.key}/")]:
            gone = self.resources.pop(key)
            for watcher in tuple(self.watchers):
                watcher(gone.id, None)

    def of_type(self, resource_type: str, scope: str = "/") -> Iterator[Resource]:
        """Resources of a type whose ids begin with ``scope``."""
        for key, resource in list(self.resources.items()):
            if resource.id.type.lower() == resource_type.lower() and key.startswith(scope.lower()):
                yield resource

    def offered_profiles(self, location: str) -> tuple[str, ...]:
        """The GPU profiles of a region; those of Azure in November 2026, unless set otherwise."""
        found = self.profiles.get(location)
        if found is not None:
            return found
        a100 = (A100,) if location in _A100_REGIONS else ()
        t4 = (T4,) if location in _A100_REGIONS | _T4_REGIONS else ()
        return (*a100, *t4, *(DEDICATED if location in _DEDICATED_REGIONS else ()))

    def share_folder(self, account: str, share: str) -> Path:
        """Where the files of a share are; made when asked for."""
        path = self.folder / account.lower() / share.lower()
        path.mkdir(parents=True, exist_ok=True)
        return path

    def trial(self) -> State:
        """A copy on which something can be tried; nobody watches it."""
        tried = copy.copy(self)
        tried.groups = dict(self.groups)
        tried.resources = {
            key: Resource(found.id, copy.deepcopy(found.body), copy.deepcopy(found.written))
            for key, found in self.resources.items()
        }
        tried.watchers = []
        return tried


def now() -> str:
    """As Azure writes times."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def new_id() -> str:
    return str(uuid.uuid4())
