"""One deployment of a template: tried without effect, run, followed operation by operation."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from remora.azure.arm_error import ArmError, innermost
from remora.azure.change import Change, changes_of
from remora.azure.failures import azure_errors, told
from remora.azure.wire import wire
from remora.errors import AzureError, DeploymentFailed

if TYPE_CHECKING:
    from azure.mgmt.resource.deployments.models import (
        DeploymentExtended,
        DeploymentOperationProperties,
    )

    from remora.azure.clients import Clients

PORTAL = "https://portal.azure.com/#view/HubsExtension/DeploymentDetailsBlade/~/overview/id/"
_ENDED = {"succeeded", "failed", "canceled"}
_DURATION = re.compile(r"P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?")


@dataclass(frozen=True, slots=True)
class Operation:
    """What becomes of one resource. ``state`` is Azure's word; ``seconds`` it has taken."""

    type: str
    name: str
    state: str
    seconds: float
    error: ArmError | None = None
    status: int | None = None


class Listener(Protocol):
    """Hears how a deployment goes on."""

    def operations(self, operations: Sequence[Operation], seconds: float) -> None:
        """All operations as they are now, ``seconds`` after the beginning."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of that name in a resource group, begun or not."""

    clients: Clients
    group: str
    name: str

    @property
    def portal(self) -> str:
        """Where a browser shows it."""
        path = (
            f"/subscriptions/{self.clients.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.Resources/deployments/{self.name}"
        )
        return PORTAL + quote(path, safe="")

    def what_if(
        self, template: Mapping[str, Any], values: Mapping[str, Any], *, ask_providers: bool = True
    ) -> list[Change]:
        """What it would change; nothing is changed.

        ``ask_providers`` lets each provider look at its resources, as they would be now.
        """
        from azure.mgmt.resource.deployments.models import DeploymentWhatIf

        doing, body = "foreseeing the changes", _body(template, values)
        if not ask_providers:
            body["properties"]["validationLevel"] = "Template"
        with azure_errors(doing):
            result = self.clients.deployments.deployments.begin_what_if(
                self.group, self.name, DeploymentWhatIf(body)
            ).result()
        if result.error is not None:
            raise told(doing, innermost(result.error.as_dict()))
        return changes_of((result.properties and result.properties.changes) or ())

    def is_running(self) -> bool:
        """Whether it was begun and has not ended."""
        from azure.core.exceptions import ResourceNotFoundError

        with azure_errors("looking for a deployment"):
            try:
                return _state(self._now()) not in _ENDED
            except ResourceNotFoundError:
                return False

    def begin(self, template: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Begin it; `follow` waits for its end."""
        from azure.mgmt.resource.deployments.models import Deployment as Body

        with azure_errors("beginning the deployment"):
            self.clients.deployments.deployments.begin_create_or_update(
                self.group, self.name, Body(_body(template, values)), polling=False
            )

    def follow(
        self, listener: Listener, sleep: Callable[[float], None] = time.sleep
    ) -> dict[str, Any]:
        """Wait for its end; returns its outputs. An interruption leaves it running.

        Raises `AzureError` with the cause if it fails, and what was made in the hint.
        """
        begin = time.monotonic()
        while True:
            with azure_errors("following the deployment"):
                now = self._now()  # First: its operations are then at least as far.
                operations = self._operations()
            elapsed = time.monotonic() - begin
            listener.operations(operations, elapsed)
            if _state(now) in _ENDED:
                break
            sleep(min(2.0, 0.1 + elapsed / 20))
        if _state(now) == "succeeded":
            return dict((now.properties and now.properties.outputs) or {})
        error = _cause(operations) or _ending(now)
        error.hint = "\n".join(text for text in (error.hint, _left(operations)) if text)
        raise error

    def cancel(self) -> None:
        """Stop what has not begun; what was made stays."""
        with azure_errors("cancelling the deployment"):
            self.clients.deployments.deployments.cancel(self.group, self.name)

    def _now(self) -> DeploymentExtended:
        return self.clients.deployments.deployments.get(self.group, self.name)

    def _operations(self) -> list[Operation]:
        found = self.clients.deployments.deployment_operations.list(self.group, self.name)
        return [
            _operation(one.properties)
            for one in found
            if one.properties is not None and one.properties.target_resource is not None
        ]


def _body(template: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {"properties": {"mode": "Incremental", "template": template, "parameters": values}}


def _operation(found: DeploymentOperationProperties) -> Operation:
    target, message = found.target_resource, found.status_message
    assert target is not None
    error = innermost(message.error.as_dict()) if message and message.error else None
    return Operation(
        type=target.resource_type or "",
        name=target.resource_name or "",
        state=wire(found.provisioning_state) or "Running",
        seconds=_seconds(found.duration),
        error=error,
        status=_status(found.status_code),
    )


def _cause(operations: Sequence[Operation]) -> AzureError | None:
    for one in operations:
        if one.state.lower() == "failed":
            return told(f"{one.type} {one.name}", one.error, one.status)
    return None


def _ending(found: DeploymentExtended) -> AzureError:
    """Why it ended where no operation says so."""
    error = found.properties.error if found.properties else None
    if error is not None:
        return told("the deployment", innermost(error.as_dict()))
    return DeploymentFailed(f"the deployment was {_state(found)}")


def _left(operations: Sequence[Operation]) -> str:
    made = [f"{one.type} {one.name}" for one in operations if one.state.lower() == "succeeded"]
    if not made:
        return "Nothing was made."
    return f"Made, and left as it is: {', '.join(made)}. The next run goes on from there."


def _state(found: DeploymentExtended) -> str:
    return wire(found.properties and found.properties.provisioning_state).lower()


def _status(code: str | None) -> int | None:
    """Azure writes ``BadRequest`` or ``400``."""
    text = (code or "").replace(" ", "").lower()
    names = {status.phrase.replace(" ", "").lower(): status.value for status in HTTPStatus}
    return int(text) if text.isdigit() else names.get(text)


def _seconds(duration: str | None) -> float:
    """Of an ISO 8601 duration, such as ``PT1M2.5S``."""
    found = _DURATION.fullmatch(duration or "")
    if found is None:
        return 0.0
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
