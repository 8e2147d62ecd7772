"""All types of resources, and how a request for one is stored."""

from __future__ import annotations

import copy

from tests.azure.double import api_versions, container_apps, environments, storage, workspaces
from tests.azure.double.contract import check_body
from tests.azure.double.errors import ArmError, ContractError
from tests.azure.double.kinds import Kind, location_of, view
from tests.azure.double.permissions import check_permission
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Group, Json, Resource, State

KINDS = {
    kind.type.lower(): kind
    for kind in (
        *container_apps.KINDS,
        *environments.KINDS,
        *storage.KINDS,
        *workspaces.KINDS,
    )
}


def kind_of(resource_type: str) -> Kind:
    """Raises `ContractError` for a type that is not known."""
    kind = KINDS.get(resource_type.lower())
    if kind is None:
        raise ContractError(
            f"The resource type '{resource_type}' could not be found.", "InvalidResourceType", 404
        )
    return kind


def writable_kind(resource_id: ResourceId) -> Kind:
    """Raises `ContractError` for what Azure alone makes and deletes, such as revisions."""
    kind = kind_of(resource_id.type)
    if kind.is_read_only:
        raise ContractError(f"A {kind.type} can't be written.", "MethodNotAllowed", 405)
    return kind


def show(state: State, resource: Resource) -> Json:
    """The resource as a GET shows it."""
    return view(kind_of(resource.id.type), state, resource)


def group_of(state: State, subscription: str, name: str) -> Group:
    """Raises `ArmError` where the group does not exist."""
    if subscription.lower() not in {known.lower() for known in state.subscriptions}:
        raise ArmError(
            404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found."
        )
    group = state.find_group(subscription, name)
    if group is None:
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return group


def store(state: State, resource_id: ResourceId, api_version: str, body: Json) -> Resource:
    """What a PUT of a resource does at once. Raises `ArmError` where Azure refuses it."""
    kind = writable_kind(resource_id)
    api_versions.check(resource_id.type, api_version)
    group_of(state, resource_id.subscription, resource_id.group)
    check_registered(state, resource_id)
    check_permission(state, f"{resource_id.type}/write", str(resource_id))
    parent = resource_id.parent
    # The file service of a storage account is there from the start.
    if parent and parent.types[-1].lower() != "fileservices" and state.find(parent) is None:
        raise ArmError(
            404,
            "ParentResourceNotFound",
            f"Failed to perform 'write' on resource(s) of type '{'/'.join(resource_id.types)}', "
            f"because the parent resource '{parent}' could not be found.",
        )
    check_body(kind.type, resource_id.name, api_version, body)
    for refused, error in state.refusals:
        if refused.lower() == resource_id.type.lower():
            raise error
    before = state.find(resource_id)
    _check_same_place(before, body)
    completed = kind.complete(
        state, resource_id, copy.deepcopy(body), before.body if before else None
    )
    written = copy.deepcopy(body.get("properties") or {})
    resource = Resource(before.id if before else resource_id, completed, written)
    state.put(resource)
    return resource


def check_registered(state: State, resource_id: ResourceId) -> None:
    providers = state.subscriptions[resource_id.subscription].providers
    known = {name.lower(): value for name, value in providers.items()}
    if known.get(resource_id.namespace.lower()) != "Registered":
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{resource_id.namespace}'. See "
            "https://aka.ms/rps-not-found for how to register subscriptions.",
        )


def _check_same_place(before: Resource | None, body: Json) -> None:
    if before is None or "location" not in before.body:
        return
    here, there = location_of(before.body["location"]), location_of(body.get("location", ""))
    if here != there:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{before.id.name}' already exists in location '{here}' in resource "
            f"group '{before.id.group}'. A resource with the same name cannot be created in "
            f"location '{there}'. Please select a new resource name.",
        )
