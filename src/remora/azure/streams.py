"""What Container Apps streams over HTTP: lines of a container's log, and events of the platform.

Azure ends such a stream now and then; whoever follows it connects again.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remora.azure.app import App, Replica, stream_token
from remora.azure.failures import azure_errors
from remora.errors import AzureError, AzureUnavailable

if TYPE_CHECKING:
    from remora.azure.clients import Clients

TAIL = 300  # lines of the past; Azure gives no more
PAUSE = 1.0  # s before a broken stream is opened again
_CRI = re.compile(r"^(?:(?:stdout|stderr) )?[FP] ")  # how the container runtime marks a line


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the platform did: ``reason`` is its name for it."""

    at: str
    reason: str
    message: str
    revision: str
    replica: str
    is_warning: bool
    count: int


def events(clients: Clients, app: App) -> list[Event]:
    """The platform's latest events of an app's revision, oldest first; none if it tells none."""
    if not app.events:
        return []
    try:
        lines = list(_lines(clients, app, app.events, {"follow": "false"}))
    except AzureError:  # They only explain what is seen in other ways, too.
        return []
    found = [_event(line) for line in lines]
    return [one for one in found if one and one.revision in {"", app.revision}]


def log_lines(
    clients: Clients,
    look: Callable[[], App],
    *,
    follow: bool,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """Lines that the containers of an app have written, replica by replica.

    With ``follow`` it goes on, over broken streams, restarts and sleep, with the newest replica.
    Lines that came already are left out. Raises `AzureError`.
    """
    if not follow:
        app = look()
        for replica in app.replicas:
            yield from (text for _, text in _log(clients, app, replica, follow=False))
        return
    seen: deque[str] = deque(maxlen=4 * TAIL)
    while True:
        app = look()
        newest = max(app.replicas, key=_made, default=None)
        try:
            for line, text in _log(clients, app, newest, follow=True) if newest else ():
                if line not in seen:
                    seen.append(line)
                    yield text
        except AzureUnavailable:
            pass  # It broke off.
        wait(PAUSE)


def _made(replica: Replica) -> float:
    return replica.created.timestamp() if replica.created else 0.0


def _log(
    clients: Clients, app: App, replica: Replica, *, follow: bool
) -> Iterator[tuple[str, str]]:
    """Lines as they came, and what the container wrote in them."""
    base = app.events.rpartition("/")[0]
    place = f"{base}/revisions/{app.revision}/replicas/{replica.name}"
    url = f"{place}/containers/{replica.container}/logstream"
    for line in _lines(clients, app, url, {"follow": str(follow).lower()}):
        record = _json(line)
        yield line, _CRI.sub("", str(record.get("Log", line) if record else line))


def _event(line: str) -> Event | None:
    record = _json(line)
    if not record or "Reason" not in record:
        return None
    return Event(
        at=str(record.get("TimeStamp", "")),
        reason=str(record["Reason"]),
        message=str(record.get("Msg", "")),
        revision=str(record.get("RevisionName") or ""),
        replica=str(record.get("ReplicaName") or ""),
        is_warning=str(record.get("Type", "")).lower() == "warning",
        count=int(record.get("Count") or 1),
    )


def _json(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _lines(clients: Clients, app: App, url: str, query: dict[str, str]) -> Iterator[str]:
    """Lines of a stream until it ends."""
    from azure.core import PipelineClient
    from azure.core.rest import HttpRequest

    headers = {"Authorization": f"Bearer {stream_token(clients, app.group, app.name)}"}
    params = query | {"output": "json", "tailLines": str(TAIL)}
    request = HttpRequest("GET", url, params=params, headers=headers)
    client: PipelineClient[Any, Any] = PipelineClient(
        url, transport=clients.shared_transport, policies=[]
    )
    with azure_errors(f"reading the logs of {app.name}"):
        response = client.send_request(request, stream=True)
        with closing(response):
            response.raise_for_status()
            rest = b""
            for piece in response.iter_bytes():
                *whole, rest = (rest + piece).split(b"\n")
                yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole if line)
            if rest:
                yield rest.decode("utf-8", "replace")
