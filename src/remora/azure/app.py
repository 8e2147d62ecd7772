"""A container app as it runs: its revision, its replicas, and how to start them anew."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remora.azure.failures import azure_errors
from remora.errors import AzureNotFound

if TYPE_CHECKING:
    from azure.mgmt.appcontainers.models import Replica as AzureReplica
    from azure.mgmt.appcontainers.models import Revision

    from remora.azure.clients import Clients


@dataclass(frozen=True, slots=True)
class Replica:
    """``state`` and ``detail`` are Azure's words for its first container, ``restarts`` counts that
    container's ends; ``ready`` is what its probes say."""

    name: str
    container: str
    created: dt.datetime | None
    state: str
    detail: str
    ready: bool
    restarts: int


@dataclass(frozen=True, slots=True)
class App:
    """An app at one moment. ``revision`` is the one that takes requests; without ``replicas`` it
    sleeps. ``error`` says why the revision could not be made, ``events`` is the address where the
    platform tells what it does."""

    group: str
    name: str
    revision: str
    running_state: str
    error: str
    replicas: tuple[Replica, ...]
    events: str

    @property
    def is_asleep(self) -> bool:
        return not self.replicas

    @property
    def is_crashing(self) -> bool:
        """Whether its containers end, so that Azure waits ever longer before it starts them."""
        return any(one.restarts or one.state.lower() == "terminated" for one in self.replicas)

    @property
    def awake_since(self) -> dt.datetime | None:
        """When its oldest replica was made."""
        return min((one.created for one in self.replicas if one.created), default=None)


def look(clients: Clients, group: str, name: str) -> App:
    """The app now; three calls. Raises `AzureNotFound`, and what else Azure answers."""
    with azure_errors(f"looking at the app {name}"):
        found: Any = clients.apps.container_apps.get(group, name).properties
        revision = _active(clients.apps.container_apps_revisions.list_revisions(group, name))
        if revision is None:
            raise AzureNotFound(
                f"the app {name} has no active revision", hint="`remora provision` makes one."
            )
        replicas = clients.apps.container_apps_revision_replicas.list_replicas(
            group, name, str(revision.name)
        ).value
    properties: Any = revision.properties
    return App(
        group=group,
        name=name,
        revision=str(revision.name),
        running_state=_word(properties.running_state),
        error=properties.provisioning_error or "",
        replicas=tuple(_replica(one) for one in replicas or ()),
        events=found.event_stream_endpoint or "",
    )


def restart(clients: Clients, app: App) -> None:
    """Start the containers of the active revision anew, in place: no second GPU is needed."""
    with azure_errors(f"restarting the app {app.name}"):
        clients.apps.container_apps_revisions.restart_revision(app.group, app.name, app.revision)


def renew(clients: Clients, app: App) -> None:
    """Let a new revision take over from the active one, which ends when that is ready."""
    with azure_errors(f"starting {app.name} anew"):
        found: Any = clients.apps.container_apps.get(app.group, app.name).as_dict()
        template = {**found["properties"]["template"], "revisionSuffix": new_suffix()}
        body: Any = {"location": found["location"], "properties": {"template": template}}
        clients.apps.container_apps.begin_update(app.group, app.name, body).result()


def new_suffix() -> str:
    """A name that makes a template one of a new revision."""
    return f"s{uuid.uuid4().hex[:8]}"


def stream_token(clients: Clients, group: str, app: str) -> str:
    """What opens the streams of an app's logs; valid for an hour or so."""
    with azure_errors(f"asking for the logs of {app}"):
        found: Any = clients.apps.container_apps.get_auth_token(group, app).properties
        return str(found.token)


def _active(revisions: Iterable[Revision]) -> Revision | None:
    """The newest of those that are active; there are two only while one takes over."""
    active = [one for one in revisions if one.properties and one.properties.active]
    return max(active, key=_age, default=None)


def _age(revision: Revision) -> float:
    made = revision.properties.created_time if revision.properties else None
    return made.timestamp() if made else 0.0


def _replica(found: AzureReplica) -> Replica:
    properties: Any = found.properties
    container = next(iter(properties.containers or ()), None)
    details = [
        container.running_state_details if container else None,
        properties.running_state_details,
    ]
    return Replica(
        name=str(found.name),
        container=container.name or "" if container else "",
        created=properties.created_time,
        state=_word(container.running_state if container else properties.running_state),
        detail="; ".join(dict.fromkeys(one for one in details if one)),
        ready=bool(container and container.ready),
        restarts=container.restart_count or 0 if container else 0,
    )


def _word(value: Any) -> str:
    """An enumeration's value, or the text that a newer Azure gives in its place."""
    return str(getattr(value, "value", value) or "")
