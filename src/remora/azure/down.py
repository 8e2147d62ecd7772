"""Taking away what inference has created, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remora.azure.failures import azure_errors
from remora.azure.inventory import (
    APP,
    ENVIRONMENT,
    ENVIRONMENT_STORAGE,
    FRONT_TAG,
    JOB,
    STORAGE_ACCOUNT,
    WORKSPACE,
    Resource,
    find,
    inference_apps,
    inventory,
    mounted_read_only,
    read_app,
)
from remora.azure.resource_id import parse, same
from remora.errors import AzureNotFound

if TYPE_CHECKING:
    from azure.core.polling import LROPoller

    from remora.azure.clients import Clients

# Users before what they use.
_ORDER = tuple(
    kind.lower() for kind in (APP, ENVIRONMENT_STORAGE, ENVIRONMENT, WORKSPACE, STORAGE_ACCOUNT)
)
_SHARED = frozenset(kind.lower() for kind in (ENVIRONMENT, WORKSPACE, STORAGE_ACCOUNT))


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that inference created and that stays all the same."""

    resource: Resource
    reason: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What would be deleted, in that order, and what stays."""

    group: str
    deleted: tuple[Resource, ...] = ()
    kept: tuple[Kept, ...] = ()


def plan_removal(
    clients: Clients, group: str, *, app: str | None = None, with_data: bool = False
) -> Removal:
    """What belongs to the inference app of that name, or to all of the group's if it is None.

    Only what carries inference's tag is ever named, and the storage through which inference reads
    the share. A storage account holds models and releases: it stays unless ``with_data``. What
    others still use stays, too.
    """
    try:
        resources = inventory(clients, group)
    except AzureNotFound:
        return Removal(group)
    servers = [
        one for one in inference_apps(resources) if app is None or one.name.lower() == app.lower()
    ]
    apps = [found for server in servers for found in _with_front(resources, server)]
    others = [one for one in resources if one not in apps]
    users = [one for one in others if one.type.lower() in {APP.lower(), JOB.lower()}]
    deleted, kept = [*apps, *_storages(clients, group, servers, users)], []
    for one in others:
        if not one.is_inference or one.type.lower() not in _SHARED:
            continue
        if users:
            kept.append(Kept(one, f"{users[0].name} may use it"))
        elif same(one.type, STORAGE_ACCOUNT) and not with_data:
            kept.append(Kept(one, "it holds models and releases; --with-data deletes it"))
        else:
            deleted.append(one)
    deleted.sort(key=lambda one: _ORDER.index(one.type.lower()))
    return Removal(group, tuple(deleted), tuple(kept))


def _storages(
    clients: Clients, group: str, servers: Sequence[Resource], users: Sequence[Resource]
) -> list[Resource]:
    """The storages through which the servers read, and no app that stays does."""

    def mounted(apps: Sequence[Resource]) -> dict[str, Resource]:
        details = [read_app(clients, group, one.name) for one in apps]
        found = [storage for app in details if app for storage in mounted_read_only(clients, app)]
        return {storage.id.lower(): storage for storage in found}

    kept = mounted([one for one in users if same(one.type, APP)])
    return [storage for key, storage in mounted(servers).items() if key not in kept]


def _with_front(resources: Sequence[Resource], server: Resource) -> Iterable[Resource]:
    """The front first: it is the one that takes requests."""
    front = find(resources, APP, server.tags.get(FRONT_TAG, ""))
    if front is not None and front.is_inference:
        yield front
    yield server


def delete(clients: Clients, group: str, resource: Resource) -> None:
    """Delete it and wait until it is gone; what is gone already is no error."""
    from azure.core.exceptions import ResourceNotFoundError

    with azure_errors(f"deleting {resource.name}"):
        try:
            poller = _begin(clients, group, resource)
            if poller is not None:
                poller.result()
        except ResourceNotFoundError:
            return


def _begin(clients: Clients, group: str, resource: Resource) -> LROPoller[None] | None:
    kind, name = resource.type.lower(), resource.name
    if kind == APP.lower():
        return clients.apps.container_apps.begin_delete(group, name)
    if kind == ENVIRONMENT.lower():
        return clients.apps.managed_environments.begin_delete(group, name)
    if kind == ENVIRONMENT_STORAGE.lower():
        environment, _, storage = name.partition("/")
        clients.apps.managed_environments_storages.delete(
            parse(resource.id).group, environment, storage
        )
        return None
    if kind == STORAGE_ACCOUNT.lower():
        clients.storage.storage_accounts.delete(group, name)
        return None
    assert kind == WORKSPACE.lower(), resource.type
    return clients.resources.resources.begin_delete_by_id(resource.id, api_version="2022-10-01")
