"""A type of resource: how a request becomes a resource, and what a GET shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Json, Resource, State


class Complete(Protocol):
    def __call__(
        self, state: State, resource_id: ResourceId, body: Json, before: Json | None
    ) -> Json:
        """The body to store for a PUT: with defaults and what Azure sets itself.

        ``before`` is what was stored. Raises `ArmError` where Azure refuses.
        """


def as_stored(state: State, resource: Resource) -> Json:
    return resource.body


def as_given(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    return body


@dataclass(frozen=True)
class Kind:
    """``pending`` is the provisioning state while it's being made; None: made at once.

    ``style`` is the header that leads to the long-running operation. Azure alone writes one that
    ``is_read_only``.
    """

    type: str
    complete: Complete
    show: Callable[[State, Resource], Json] = as_stored
    pending: str | None = None
    style: str = "Azure-AsyncOperation"
    is_read_only: bool = False


def view(kind: Kind, state: State, resource: Resource) -> Json:
    """The resource as a GET shows it."""
    names = {"id": str(resource.id), "name": resource.id.name, "type": kind.type}
    return {**names, **kind.show(state, resource)}


def location_of(value: str) -> str:
    """A region's name as Azure compares it: ``West US 3`` is ``westus3``."""
    return value.replace(" ", "").lower()
