"""Runs the container apps of the double: their revisions, replicas and addresses."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Any

from tests.azure.double.container_apps import APPS, REVISIONS
from tests.azure.double.listener import Listener, bind
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.runtime.events import Events
from tests.azure.double.runtime.gpus import Gpus
from tests.azure.double.runtime.ingress import Ingress
from tests.azure.double.runtime.log import Log
from tests.azure.double.runtime.replica import Replica
from tests.azure.double.runtime.scaler import Scaler
from tests.azure.double.runtime.settings import Settings
from tests.azure.double.state import Json, Resource, State
from tests.azure.own_certificate import Certificate


@dataclass
class RunningApp:
    """``scalers`` are the active revisions, oldest first; the newest that is ready is served."""

    resource: Resource
    events: Events
    scalers: list[Scaler] = field(default_factory=list)
    outside: Listener | None = None

    @property
    def serving(self) -> Scaler | None:
        for scaler in reversed(self.scalers):
            if scaler.ready:
                return scaler
        return self.scalers[0] if self.scalers else None

    @property
    def replicas(self) -> list[Replica]:
        return [replica for scaler in self.scalers for replica in scaler.present]


class RunningApps:
    """A `Runtime` whose replicas are processes. To be used in the loop that serves.

    ``folder`` is for images and local disks.
    """

    def __init__(self, state: State, settings: Settings, tls: Certificate, folder: Path) -> None:
        self._state, self._settings, self._tls, self._folder = state, settings, tls, folder
        self._apps: dict[str, RunningApp] = {}
        self._sockets: dict[str, socket] = {}
        self._gpus = Gpus(state)
        self._tasks: set[asyncio.Task[None]] = set()
        state.runs_apps = True
        state.address_of = self._address
        state.watchers.append(self._see)

    def replicas(self, revision: ResourceId) -> list[Json]:
        scaler = self._scaler(revision)
        return [replica.view() for replica in scaler.present] if scaler else []

    def restart(self, revision: ResourceId) -> None:
        scaler = self._scaler(revision)
        if scaler is not None:
            self._begin(scaler.restart())

    def look(self, revision: ResourceId) -> None:
        found = self._state.find(revision)
        if found is not None and found.properties["active"]:
            self._see(revision, found)
        elif scaler := self._scaler(revision):
            for app in self._apps.values():
                if scaler in app.scalers:
                    app.scalers.remove(scaler)
            self._begin(scaler.close())

    def console(self, app: ResourceId, replica: str) -> Log | None:
        running = self._apps.get(app.key)
        for found in running.replicas if running else ():
            if found.name == replica:
                return found.console
        return None

    def events(self, app: ResourceId) -> Log | None:
        running = self._apps.get(app.key)
        return running.events.log if running else None

    def kill(self, name: str, reason: str = "OOMKilled") -> None:
        """Ends the containers of an app, as for lack of memory."""
        for app in self._apps.values():
            if app.resource.id.name == name:
                for replica in app.replicas:
                    replica.kill(reason)

    def move(self, name: str) -> None:
        """Takes the replicas of an app to other machines, as a platform does that is maintained."""
        for app in self._apps.values():
            if app.resource.id.name == name:
                for scaler in app.scalers:
                    self._begin(scaler.move())

    def names(self, name: str) -> set[str]:
        """The names of an app's replicas."""
        apps = [app for app in self._apps.values() if app.resource.id.name == name]
        return {replica.name for app in apps for replica in app.replicas}

    async def ask(self, name: str, path: str, key: str) -> tuple[int, bytes]:
        """What a replica of an app answers to a request from inside it: the ingress, which counts
        requests, is not asked. Raises `LookupError` where none runs."""
        for app in self._apps.values():
            for replica in app.replicas if app.resource.id.name == name else ():
                if replica.http is not None:
                    port = app.resource.properties["configuration"]["ingress"]["targetPort"]
                    answer = await replica.http.request(
                        "GET",
                        f"http://127.0.0.1:{port}{path}",
                        headers={"Host": "127.0.0.1", "Authorization": f"Bearer {key}"},
                    )
                    return answer.status, answer.content
        raise LookupError(f"no replica of {name} runs")

    async def close(self) -> None:
        self._state.watchers.remove(self._see)
        for key in list(self._apps):
            await self._remove(key)
        while self._tasks:
            await asyncio.wait(self._tasks)
        for listening in self._sockets.values():
            listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _address(self, app: ResourceId) -> str:
        if app.key not in self._sockets:
            self._sockets[app.key] = bind()
        return f"127.0.0.1:{self._sockets[app.key].getsockname()[1]}"

    def _see(self, resource_id: ResourceId, resource: Resource | None) -> None:
        """A resource was put, or is gone (None)."""
        kind = resource_id.type.lower()
        if kind == APPS.lower():
            running = self._apps.get(resource_id.key)
            if resource is None:
                self._begin(self._remove(resource_id.key))
            elif running is not None:
                running.resource = resource
        elif kind == REVISIONS.lower() and resource is not None:
            parent = resource_id.parent
            assert parent is not None
            app = self._state.find(parent)
            if app is not None and not self._scaler(resource_id):
                self._deploy(app, resource)

    def _deploy(self, app: Resource, revision: Resource) -> None:
        running = self._apps.get(app.id.key)
        if running is None:
            running = self._apps[app.id.key] = RunningApp(app, Events(app.id.name))
            if app.properties["configuration"].get("ingress"):
                self._open(running)
        running.resource = app

        def make(name: str, changed: Callable[[], None]) -> Replica:
            return Replica(
                name, running.resource, revision, self._state, self._settings, self._gpus,
                running.events, self._folder / "local", self._tls.certificate,
                opened=self._let_in, changed=changed,
            )  # fmt: skip

        scaler = Scaler(revision, make, self._settings)
        older = list(running.scalers)
        running.scalers.append(scaler)
        if app.properties["configuration"]["activeRevisionsMode"] == "Single":
            self._begin(self._replace(running, older, scaler))

    async def _replace(self, app: RunningApp, older: list[Scaler], newer: Scaler) -> None:
        """The old revisions end when the new one is ready, not before."""
        await newer.was_ready.wait()
        if newer not in app.scalers:
            return
        app.resource.properties["latestReadyRevisionName"] = newer.revision.id.name
        app.events.tell("RevisionReady", f"Successfully provisioned revision "
                        f"'{newer.revision.id.name}'", newer.revision.id.name)  # fmt: skip
        for scaler in older:
            if scaler in app.scalers:
                app.scalers.remove(scaler)
                await scaler.close()

    def _open(self, app: RunningApp) -> None:
        """Listens at the app's address, outside and inside each replica of its environment."""
        self._address(app.resource.id)
        app.outside = Listener(
            self._ingress(app, is_inside=False), self._tls, self._sockets[app.resource.id.key]
        )
        app.outside.start()
        for other in self._apps.values():
            for replica in other.replicas:
                if replica.sandbox is not None and _same_environment(app, replica.app):
                    self._begin(self._listen_inside(app, replica))

    def _ingress(self, app: RunningApp, *, is_inside: bool) -> Ingress:
        def ingress_of() -> Json:
            found: Json = app.resource.properties["configuration"].get("ingress") or {}
            return found

        return Ingress(lambda: app.serving, ingress_of, self._settings, is_inside=is_inside)

    async def _let_in(self, replica: Replica) -> None:
        """A replica reaches the apps of its environment under their addresses."""
        for app in list(self._apps.values()):
            if app.outside is not None and _same_environment(app, replica.app):
                await self._listen_inside(app, replica)

    async def _listen_inside(self, app: RunningApp, replica: Replica) -> None:
        assert replica.sandbox is not None
        port = self._sockets[app.resource.id.key].getsockname()[1]
        listening = await replica.sandbox.listen(port)
        listener = Listener(self._ingress(app, is_inside=True), self._tls, listening)
        listener.start()
        replica.inside.append(listener)

    async def _remove(self, key: str) -> None:
        app = self._apps.pop(key, None)
        if app is None:
            return
        if app.outside is not None:
            await app.outside.stop()
            self._sockets.pop(key).close()
        scalers, app.scalers = app.scalers, []
        await asyncio.gather(*(scaler.close() for scaler in scalers))

    def _scaler(self, revision: ResourceId) -> Scaler | None:
        for app in self._apps.values():
            for scaler in app.scalers:
                if scaler.revision.id.key == revision.key:
                    return scaler
        return None


def _same_environment(app: RunningApp, other: Resource) -> bool:
    mine: str = app.resource.properties["environmentId"]
    theirs: str = other.properties["environmentId"]
    return mine.lower() == theirs.lower()
