"""The HTTP server's life: listen, tell when the backend is ready, drain on a signal, end.

The socket opens first, so that ``/readyz`` tells how far the loading has come. The first SIGTERM
or SIGINT begins to drain: running answers end, new ones are refused with 503 and ``Retry-After``,
once a time has passed in which a balancer may still send some. A second signal ends the process at
once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from remora.backends.backend import Phase, Service
from remora.errors import ConfigError, ModelError
from remora.gateway.app import ROUTES, Routes, create_app
from remora.gateway.context import Gateway
from remora.gateway.interface import BesideApi, Interface
from remora.gateway.open_files import allow_many_open_files
from remora.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from remora.reconcile.reconciler import Reconciler

logger = logging.getLogger("remora.gateway")

_POLL = 0.05  # s between looks at the backend while it loads
_FLUSH = 5  # s that cancelled answers get to write their last event
_BACKLOG = 2048  # connections that wait to be accepted


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 chooses a free one. Raises `ConfigError` if it can't be."""
    try:
        if not 0 <= port <= 65_535:
            raise OverflowError("a port is a number from 0 to 65535")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"Can't listen on {host} port {port}: {error}.",
            hint="Choose another port, or end the program that has it.",
        ) from None


def url_of(listener: socket.socket) -> str:
    """The base URL that reaches a listening socket from this machine."""
    host, port = listener.getsockname()[:2]
    if ip_address(host.partition("%")[0]).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server:
    """One server on one listening socket, which it closes; ``on_ready`` gets the base URL."""

    def __init__(
        self,
        backend: Service,
        settings: GatewaySettings,
        listener: socket.socket,
        on_ready: Callable[[str], None] | None = None,
        reconciler: Reconciler | None = None,
        make_interface: Callable[[], Interface] | None = None,
        routes: Routes = ROUTES,
    ) -> None:
        app = create_app(backend, settings, reconciler, routes)
        self._gateway: Gateway[Service] = app.state.gateway
        self._listener = listener
        self._url = url_of(listener)
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._stop_wanted = False
        self._beside = BesideApi(app, make_interface, routes) if make_interface else None
        self._pages: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            self._beside or app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=settings.keep_alive,
            timeout_graceful_shutdown=_FLUSH,
        )
        self._http = _Http(config, self.stop)

    def run(self) -> None:
        """Serve until a signal ends it and it is drained; closes the backend in any case.

        Raises `ModelError` if the backend fails to load.
        """
        allow_many_open_files()
        with asyncio.Runner(loop_factory=self._http.config.get_loop_factory()) as runner:
            runner.run(self._run())

    def stop(self) -> None:
        """Begin to drain; may be called from any thread and from a signal handler."""
        self._stop_wanted = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stop_wanted:
            self._stopping.set()
        life = asyncio.create_task(self._live())
        try:
            await self._http.serve(sockets=[self._listener])
            await life
        finally:
            self._loop = None
            life.cancel()
            await self._gateway.backend.close()

    async def _live(self) -> None:
        """Wait for the backend, then for the signal, then for the answers under way."""
        try:
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait(
                {stopping, asyncio.create_task(self._loaded())},
                return_when=asyncio.FIRST_COMPLETED,
            )
            status = self._gateway.backend.status()
            if status.phase is Phase.FAILED:
                raise ModelError(
                    f"The model could not be loaded: {status.detail}", hint=status.hint
                )
            following = self._follow_share()
            await stopping
            if following is not None:
                following.cancel()
            await self._drain()
        finally:
            if self._pages is not None:
                self._pages.cancel()
            self._http.should_exit = True

    async def _loaded(self) -> None:
        while self._gateway.backend.status().phase is Phase.LOADING:  # noqa: ASYNC110 - a thread loads
            await asyncio.sleep(_POLL)
        if self._on_ready is not None and self._gateway.backend.status().phase is Phase.READY:
            self._on_ready(self._url)
        if self._beside is not None:  # Not before: the API's first seconds are its own.
            self._pages = asyncio.create_task(self._beside.run())
            self._pages.add_done_callback(_tell_failure)

    def _follow_share(self) -> asyncio.Task[None] | None:
        reconciler = self._gateway.reconciler
        return asyncio.create_task(reconciler.run(self.stop)) if reconciler else None

    async def _drain(self) -> None:
        gateway = self._gateway
        gateway.leaving = True
        if gateway.backend.status().phase is Phase.READY:
            await asyncio.sleep(gateway.settings.linger)
        gateway.draining = True
        if gateway.backend.status().phase is not Phase.READY:
            return
        try:
            async with asyncio.timeout(gateway.settings.drain_timeout):
                await gateway.backend.drain()
        except TimeoutError:
            logger.warning(
                "answers cut off by the drain timeout",
                extra={"fields": {"answers": len(gateway.answers)}},
            )
            for answer in list(gateway.answers):
                answer.cancel()


def _tell_failure(pages: asyncio.Task[None]) -> None:
    if not pages.cancelled() and (error := pages.exception()) is not None:
        logger.error("the pages for the browser failed", exc_info=error)


class _Http(uvicorn.Server):
    """uvicorn, with its signals handed to the server above: it would close the socket at once,
    and new requests would meet a refused connection in place of a 503."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._signalled = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._signalled:
            os._exit(128 + sig)
        self._signalled = True
        self._stop()
