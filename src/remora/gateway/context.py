"""What all requests of one app share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from remora.backends.backend import Backend, Phase, Service, Status
from remora.backends.relay import Relay
from remora.errors import NotReady
from remora.gateway.metrics import Metrics
from remora.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from starlette.requests import Request

    from remora.reconcile.reconciler import Reconciler

S = TypeVar("S", bound=Service)

DRAIN_RETRY_AFTER = 5  # s: about how long a replacement takes to be found by a balancer


class UnderWay(Protocol):
    """An answer that is being given."""

    def cancel(self) -> None:
        """End it; harmless after its end."""
        ...


@dataclass(slots=True)
class Gateway(Generic[S]):
    """What answers, the settings, the metrics and the answers under way.

    ``paths`` has the path of each route's function, by which requests are counted.
    ``reconciler`` is None where no share is served. ``leaving`` says that a shutdown has begun,
    ``draining`` that new requests are refused for it. ``id`` is this process's own: what it has in
    memory is gone with it.
    """

    backend: S
    settings: GatewaySettings
    metrics: Metrics
    paths: Mapping[Any, str] = field(default_factory=dict)
    reconciler: Reconciler | None = None
    leaving: bool = False
    draining: bool = False
    in_flight: int = 0
    answers: set[UnderWay] = field(default_factory=set)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def status(self) -> Status:
        """The backend's status; draining wins over it."""
        return self._unless(self.draining)

    def readiness(self) -> Status:
        """What a balancer is told: draining as soon as a shutdown has begun."""
        return self._unless(self.leaving)

    def _unless(self, draining: bool) -> Status:
        status = self.backend.status()
        if draining and status.phase is not Phase.FAILED:
            return Status(Phase.DRAINING, "Running answers end; no new ones begin.", 1.0)
        return status

    def refuse_unless_ready(self) -> None:
        """Raises `NotReady` while the backend loads, drains or has failed."""
        status = self.status()
        if status.phase is Phase.READY:
            return
        said = {
            Phase.LOADING: "The model is loading",
            Phase.DRAINING: "The server is shutting down",
            Phase.FAILED: "The model could not be loaded",
        }[status.phase]
        detail = f": {status.detail}" if status.detail else "."
        raise NotReady(
            said + detail,
            hint="GET /readyz tells how far it has come.",
            retry_after=DRAIN_RETRY_AFTER if status.phase is Phase.DRAINING else 1,
        )


def gateway_of(request: Request) -> Gateway[Backend]:
    """The gateway of the app that answers a request."""
    gateway: Gateway[Backend] = request.app.state.gateway
    return gateway


def front_of(request: Request) -> Gateway[Relay]:
    """The gateway of an app that hands requests on to another server."""
    gateway: Gateway[Relay] = request.app.state.gateway
    return gateway
