"""The Azure double: ARM, and what hangs on it, on this machine.

It answers the real SDK clients over HTTPS, strictly: what Azure's contracts don't know is answered
400 and kept in `AzureDouble.violations`, which a test asserts to be empty.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.azure.double.accounts import Accounts
from tests.azure.double.app import ArmApp
from tests.azure.double.arm import Arm, NothingRuns
from tests.azure.double.control import Control
from tests.azure.double.faults import Faults
from tests.azure.double.files import FileService
from tests.azure.double.listener import Listener, bind, delayed
from tests.azure.double.operations import Operations
from tests.azure.double.recorder import Recorded, Recorder
from tests.azure.double.runtime.runtime import RunningApps
from tests.azure.double.runtime.settings import Settings
from tests.azure.double.runtime.streams import Streams
from tests.azure.double.state import SUBSCRIPTION, State
from tests.azure.own_certificate import make_certificate


class AzureDouble:
    """Serves in a thread of its own between ``with`` and its end.

    ``folder`` is for files: certificate, shares. ``latency`` and ``pace``, the length of a step of
    a long-running operation, are seconds. ``record`` is a file that gets every request. With
    ``runs_apps`` the containers of container apps are processes of this machine, which needs
    namespaces (`sandbox.unavailable`); without it they exist on paper alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        latency: float = 0,
        pace: float = 0.002,
        record: Path | None = None,
        runs_apps: bool = False,
    ) -> None:
        self._tls = make_certificate(folder / "certificate")
        self.state = State(folder / "shares")
        self.state.subscription("Team", SUBSCRIPTION)
        self.faults = Faults()
        self.files = FileService(Accounts(self.state))
        self._recorder = Recorder(record)
        self._running: RunningApps | None = None
        self.settings = Settings()
        self._runs_apps = runs_apps
        self._folder = folder
        self._pace = pace
        self._latency = latency
        self._port = port
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="azure-double", daemon=True)

    @property
    def certificate(self) -> Path:
        """Whoever trusts this file trusts the double."""
        return self._tls.certificate

    @property
    def endpoint(self) -> str:
        """The address of ARM."""
        return self.state.origin

    @property
    def requests(self) -> list[Recorded]:
        return self._recorder.requests

    @property
    def violations(self) -> list[str]:
        """What no correct client would have sent."""
        return self._app.violations

    def page(self, size: int) -> None:
        """Lists come in parts of so many items."""
        self._app.page_size = size

    @property
    def operations(self) -> Operations:
        return self._arm.operations

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process finds the double and trusts it."""
        ca = str(self.certificate)
        return {
            "REMORA_ARM_ENDPOINT": self.endpoint,
            "REQUESTS_CA_BUNDLE": ca,
            "SSL_CERT_FILE": ca,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._recorder.close()

    def pause(self) -> None:
        """Long-running operations take no further step until `resume`."""
        self._loop.call_soon_threadsafe(self.operations.pause)

    def resume(self) -> None:
        self._loop.call_soon_threadsafe(self.operations.resume)

    def kill(self, app: str, reason: str = "OOMKilled") -> None:
        """Ends the containers of an app, as for lack of memory; the platform starts them anew."""
        assert self._running is not None
        self._loop.call_soon_threadsafe(self._running.kill, app, reason)

    def move(self, app: str) -> None:
        """Takes the replicas of an app elsewhere: new ones start, then the old ones get SIGTERM."""
        assert self._running is not None
        self._loop.call_soon_threadsafe(self._running.move, app)

    def replicas(self, app: str) -> set[str]:
        """The names of an app's replicas, also of those that are about to end."""
        assert self._running is not None
        return self._running.names(app)

    def ask(self, app: str, path: str, key: str) -> tuple[int, bytes]:
        """What a replica answers to a request that is made inside it, and that wakes nobody."""
        assert self._running is not None
        asked = self._running.ask(app, path, key)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(timeout=20)

    def _running_apps(self) -> RunningApps:
        folder = self._folder / "runtime"
        self._running = RunningApps(self.state, self.settings, self._tls, folder)
        return self._running

    def _with_streams(self, running: RunningApps) -> Streams:
        return Streams(self._app, self.settings, running.console, running.events)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        running = self._running_apps() if self._runs_apps else None
        runtime = running or NothingRuns()
        self._arm = Arm(self.state, Operations(self._pace), {}, self.faults, runtime)
        self._app = ArmApp(self._arm, self._recorder)
        front = self._with_streams(running) if running else self._app
        door = Control(front, self._app, self.settings, self.kill)
        arm = Listener(delayed(door, self._latency), self._tls, bind(self._port))
        files = Listener(delayed(self.files, self._latency), self._tls, bind())
        self.state.origin, self.state.files_origin = arm.origin, files.origin
        for listener in (arm, files):
            listener.start()
        self._started.set_result(None)
        await self._stopping.wait()
        try:
            if running is not None:
                await running.close()
        finally:
            for listener in (arm, files):
                await listener.stop()
