"""Where resources can be: subscriptions, resource groups and regions of the signed-in user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remora.azure.failures import azure_errors
from remora.azure.wire import wire
from remora.errors import AzureNotFound, AzureSignIn

if TYPE_CHECKING:
    from remora.azure.clients import Clients


@dataclass(frozen=True, slots=True)
class Subscription:
    """One that the user may see."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """A resource group; ``exists`` is False for one that is yet to be made."""

    id: str
    name: str
    location: str
    exists: bool = True


def subscriptions(clients: Clients) -> list[Subscription]:
    """Those that are enabled, by name. Raises `AzureSignIn` if there is none."""
    with azure_errors("listing subscriptions"):
        found = [
            Subscription(str(one.subscription_id), str(one.display_name))
            for one in clients.subscriptions.subscriptions.list()
            if wire(one.state).lower() in {"enabled", "warned", "pastdue"}
        ]
    if not found:
        raise AzureSignIn(
            "you are signed in, but there is no enabled subscription",
            hint="Sign in to the right tenant: `az login --tenant NAME`.",
        )
    return sorted(found, key=lambda one: one.name.lower())


def find_subscription(clients: Clients, named: str) -> Subscription:
    """The one of that id or name. Raises `AzureNotFound`."""
    found = subscriptions(clients)
    for one in found:
        if named.lower() in {one.id.lower(), one.name.lower()}:
            return one
    names = ", ".join(one.name for one in found[:5])
    raise AzureNotFound(
        f"there is no enabled subscription {named!r}",
        hint=f"You can use {names}. `az login --tenant NAME` signs in to another tenant.",
    )


def groups(clients: Clients) -> list[Group]:
    """All resource groups of the subscription, by name."""
    with azure_errors("listing resource groups"):
        found = [
            Group(str(one.id), str(one.name), one.location)
            for one in clients.resources.resource_groups.list()
        ]
    return sorted(found, key=lambda one: one.name.lower())


def find_group(clients: Clients, name: str) -> Group | None:
    """The resource group of that name; None if there is none."""
    from azure.core.exceptions import ResourceNotFoundError

    with azure_errors(f"looking for the resource group {name}"):
        try:
            one = clients.resources.resource_groups.get(name)
        except ResourceNotFoundError:
            return None
        return Group(str(one.id), str(one.name), one.location)


def new_group(subscription: str, name: str, location: str) -> Group:
    """A group that does not exist yet, with the id that it will have."""
    return Group(f"/subscriptions/{subscription}/resourceGroups/{name}", name, location, False)


def locations(clients: Clients) -> list[tuple[str, str]]:
    """Name and display name of the regions of the subscription."""
    with azure_errors("listing regions"):
        found = clients.subscriptions.subscriptions.list_locations(clients.subscription)
        return sorted((str(one.name), str(one.display_name)) for one in found)


def create_group(clients: Clients, group: Group) -> Group:
    """Make a resource group that is not there yet."""
    if group.exists:
        return group
    with azure_errors(f"creating the resource group {group.name}"):
        one = clients.resources.resource_groups.create_or_update(
            group.name, {"location": group.location}
        )
    return Group(str(one.id), str(one.name), one.location)
