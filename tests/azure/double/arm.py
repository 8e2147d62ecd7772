"""What every operation of ARM works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tests.azure.double.faults import Faults
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Json, State

if TYPE_CHECKING:
    from tests.azure.double.deployment import Deployments
    from tests.azure.double.operations import Operations


class Runtime(Protocol):
    """Runs the replicas of revisions."""

    def replicas(self, revision: ResourceId) -> list[Json]:
        """Name and properties of each, as a GET shows them."""

    def restart(self, revision: ResourceId) -> None:
        """Stop the replicas, and start as many anew."""

    def look(self, revision: ResourceId) -> None:
        """Start or stop what a change of the revision asks for."""


class NothingRuns:
    """A `Runtime` where apps exist on paper alone."""

    def replicas(self, revision: ResourceId) -> list[Json]:
        return []

    def restart(self, revision: ResourceId) -> None:
        pass

    def look(self, revision: ResourceId) -> None:
        pass


@dataclass
class Arm:
    state: State
    operations: Operations
    deployments: Deployments
    faults: Faults
    runtime: Runtime
