"""One replica: assigned, its image pulled, its volumes mounted, its container run and probed."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpcore

from tests.azure.double.container_apps import streams_of
from tests.azure.double.listener import Listener
from tests.azure.double.runtime import probes
from tests.azure.double.runtime.connection import pool
from tests.azure.double.runtime.events import Events
from tests.azure.double.runtime.gpus import Gpus, kind_of
from tests.azure.double.runtime.launch import Launch, Unmountable, prepare
from tests.azure.double.runtime.log import Log
from tests.azure.double.runtime.sandbox import Sandbox, SandboxError
from tests.azure.double.runtime.settings import Settings
from tests.azure.double.state import Json, Resource, State, now

_BACK_OFF = (10, 20, 40, 80, 160, 300)  # s between two starts of a container
_LOOK = 0.02  # s


class Replica:
    """Lives from `start` to `stop`. ``changed`` is called whenever it has become another."""

    def __init__(
        self,
        name: str,
        app: Resource,
        revision: Resource,
        state: State,
        settings: Settings,
        gpus: Gpus,
        events: Events,
        folder: Path,
        trust: Path,
        opened: Callable[[Replica], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.app, self.revision = app, revision
        self.console = Log()
        self.is_ready = False
        self.inside: list[Listener] = []
        self._state, self._settings, self._gpus = state, settings, gpus
        self._events = events
        self._folder, self._trust = folder, trust
        self._opened, self._changed = opened, changed
        self._created = now()
        self._details = ""
        self._phase, self._started, self._restarts = "Waiting", False, 0
        self._reason: str | None = None
        self._ended: asyncio.Future[int] | None = None
        self._stopping = False
        self._probing: asyncio.Task[None] | None = None
        self._gpu_held: str | None = None
        self.sandbox: Sandbox | None = None
        self.http: httpcore.AsyncConnectionPool | None = None

    def start(self) -> None:
        self._work = asyncio.create_task(self._get_to_run())
        self._life = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """SIGTERM, the grace that the app gives, SIGKILL."""
        self._stopping, self.is_ready = True, False
        if self._probing is not None:
            self._probing.cancel()
        self._changed()
        if self._ended is not None and self.sandbox is not None:
            await self._end(self._launch.grace)
        self._work.cancel()
        await self._life

    def kill(self, reason: str) -> None:
        """Ends the container at once, as for lack of memory (``OOMKilled``)."""
        self._reason = reason
        if self.sandbox is not None and self._ended is not None:
            self.sandbox.signal(signal.SIGKILL)

    def view(self) -> Json:
        """As a GET shows it."""
        running = self._phase == "Running"
        container = self.revision.properties["template"]["containers"][0]["name"]
        host = f"{self._state.origin}{streams_of(self.app.id)}"
        place = f"{host}/revisions/{self.revision.id.name}/replicas/{self.name}"
        return {
            "name": self.name,
            "properties": {
                "createdTime": self._created,
                "runningState": "Running" if running else "NotRunning",
                "runningStateDetails": self._details,
                "containers": [
                    {
                        "name": container,
                        "containerId": f"containerd://{self.name}",
                        "ready": self.is_ready,
                        "started": self._started,
                        "restartCount": self._restarts,
                        "runningState": self._phase,
                        "runningStateDetails": self._details,
                        "logStreamEndpoint": f"{place}/containers/{container}/logstream",
                        "execEndpoint": f"{place}/containers/{container}/exec",
                    }
                ],
                "initContainers": [],
            },
        }

    async def _live(self) -> None:
        """Cleans up when the work has ended or was cancelled; never cancelled itself."""
        await asyncio.wait([self._work])
        for listener in self.inside:
            await listener.stop()
        if self.http is not None:
            await self.http.aclose()
        if self.sandbox is not None:
            await self.sandbox.close()
        if self._gpu_held is not None:
            self._gpus.give_back(self._gpu_held)
        if not self._work.cancelled():
            self._work.result()

    async def _get_to_run(self) -> None:
        self._become("Waiting", "")
        while not self._is_assigned():  # noqa: ASYNC110  A test's thread changes the faults.
            await asyncio.sleep(_LOOK)
        self._tell("AssigningReplica",
                   f"Replica '{self.name}' has been scheduled to run on a node.")  # fmt: skip
        await self._pull()
        await self._open()
        await self._keep_running()

    def _is_assigned(self) -> bool:
        """Whether there is a place for it, and the GPU that it needs."""
        if self.app.id.name in self._settings.faults.stuck_assigning:
            return False
        gpu = kind_of(self._state, self.app)
        if gpu is not None and self._gpus.take(gpu):
            self._gpu_held = gpu
        return gpu is None or self._gpu_held is not None

    async def _pull(self) -> None:
        image = self.revision.properties["template"]["containers"][0]["image"]
        self._tell("PullingImage", f"Pulling image '{image}'")
        while self.app.id.name in self._settings.faults.image_missing:
            self._become("Waiting", "ImagePullBackOff")
            self._tell("ImagePullFailure", f"Failed to pull image '{image}': manifest unknown: "
                       "manifest tagged is not found", warning=True)  # fmt: skip
            await asyncio.sleep(_BACK_OFF[0] / self._settings.speed)
        self._tell("PulledImage", f"Successfully pulled image '{image}'")

    async def _open(self) -> None:
        while True:
            try:
                if self.app.id.name in self._settings.faults.mount_fails:
                    raise Unmountable("mount error(13): Permission denied")
                self._launch: Launch = prepare(
                    self._state, self.app, self.revision, self.name, self._folder, self._trust
                )
                await self._mount(self._launch)
                return
            except (Unmountable, SandboxError) as error:
                self._become("Waiting", "ContainerCreating")
                self._tell("VolumeMountFailure", f"MountVolume.SetUp failed: {error}", warning=True)
                await asyncio.sleep(_BACK_OFF[0] / self._settings.speed)

    async def _mount(self, launch: Launch) -> None:
        sandbox = Sandbox(self._hear_end, self.console.write)
        try:
            await sandbox.open(launch.mounts)
        except BaseException:
            await sandbox.close()
            raise
        self.sandbox, self.http = sandbox, pool(sandbox)
        await self._opened(self)

    async def _keep_running(self) -> None:
        name = self._launch.name
        while True:
            code = await self._run_once()
            if self._stopping:
                return
            reason = self._reason or ("Completed" if code == 0 else "Error")
            self._reason = None
            shown = code if code >= 0 else 128 - code
            self._become("Terminated", reason)
            self._tell("ContainerTerminated", f"Container '{name}' was terminated with exit code "
                       f"'{shown}' and reason '{reason}'", warning=True)  # fmt: skip
            wait = _BACK_OFF[min(self._restarts, len(_BACK_OFF) - 1)]
            self._restarts += 1
            if self._restarts > 1:
                self._become("Waiting", "CrashLoopBackOff")
                self._tell("ContainerBackOff", f"Back-off restarting failed container '{name}'",
                           warning=True)  # fmt: skip
            await asyncio.sleep(wait / self._settings.speed)

    async def _run_once(self) -> int:
        """Runs the container's command to its end; returns its exit code, -n after signal n."""
        assert self.sandbox is not None
        self._ended = asyncio.get_running_loop().create_future()
        self._tell("ContainerCreated", f"Created container '{self._launch.name}'")
        self.sandbox.run(self._launch.command, self._launch.env)
        self._become("Running", "")
        self._tell("ContainerStarted", f"Started container '{self._launch.name}'")
        self._probing = asyncio.create_task(self._probe())
        try:
            return await asyncio.shield(self._ended)
        finally:
            self._probing.cancel()
            self._ended = None
            self._started = self.is_ready = False
            self._changed()

    def _hear_end(self, code: int) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(code)

    async def _end(self, grace: float) -> None:
        assert self.sandbox is not None
        ended = self._ended
        if ended is None:
            return
        self.sandbox.signal(signal.SIGTERM)
        done, _ = await asyncio.wait([ended], timeout=grace)
        if not done:
            self.sandbox.signal(signal.SIGKILL)
            await asyncio.wait([ended], timeout=5)

    async def _probe(self) -> None:
        """The start-up probe first; the others when it has succeeded."""
        found = {probe.kind: probe for probe in self._launch.probes}
        if startup := found.pop("Startup", None):
            await self._until_started(startup)
        self._started = True
        if "Readiness" not in found:
            self._set_ready(True)
        async with asyncio.TaskGroup() as group:
            for probe in found.values():
                group.create_task(self._watch(probe))

    async def _until_started(self, probe: probes.Probe) -> None:
        started = asyncio.Event()
        watching = asyncio.create_task(self._watch(probe, started))
        try:
            await started.wait()
        finally:
            watching.cancel()

    async def _watch(self, probe: probes.Probe, good: asyncio.Event | None = None) -> None:
        assert self.sandbox is not None
        assert self.http is not None
        sandbox, http = self.sandbox, self.http
        last_told = -math.inf

        def told(ok: bool, wrong: str | None) -> None:
            nonlocal last_told
            if wrong is not None and time.monotonic() - last_told >= probe.period:
                last_told = time.monotonic()
                self._tell("ProbeFailed", f"Probe of {probe.kind} failed with {wrong}",
                           warning=True)  # fmt: skip
            if probe.kind == "Readiness":
                if wrong is None or not ok:
                    self._set_ready(ok)
            elif not ok and self._reason is None:
                self._reason = "ProbeFailure"
                self._ending = asyncio.create_task(self._end(self._launch.grace))
            elif good is not None and wrong is None:
                good.set()

        await probes.watch(
            probe, self._settings.speed, lambda: probes.ask(probe, sandbox, http), told
        )

    def _set_ready(self, ready: bool) -> None:
        if ready != self.is_ready and not self._stopping:
            self.is_ready = ready
            self._changed()

    def _become(self, phase: str, details: str) -> None:
        self._phase, self._details = phase, details
        self._changed()

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._events.tell(reason, message, self.revision.id.name, self.name, warning=warning)
