"""One ASGI app behind TLS on one listening socket of this machine."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.azure.own_certificate import Certificate


class _Protocol(H11Protocol):
    """Leaves the connection where the app finds it, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Listener:
    """Serves from `start` until `stop`."""

    def __init__(self, app: ASGIApp, certificate: Certificate, bound: socket.socket) -> None:
        self.socket = bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ssl_certfile=certificate.certificate,
                ssl_keyfile=certificate.key,
                timeout_graceful_shutdown=1,
                timeout_keep_alive=60,
            )
        )
        self._task: asyncio.Task[Any] | None = None

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.socket.getsockname()[1]}"

    def start(self) -> None:
        """To be called in the loop that serves."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self.socket]))

    async def stop(self) -> None:
        """Ends at once: whoever is connected is cut off."""
        self._server.should_exit = self._server.force_exit = True
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        if self._task is not None:
            await self._task
        self.socket.close()


def delayed(app: ASGIApp, seconds: float) -> ASGIApp:
    """The same app, each of whose requests takes some time on its way."""

    async def later(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(seconds)
        await app(scope, receive, send)

    return later


def bind(port: int = 0) -> socket.socket:
    """A listening socket of the loopback address; port 0 chooses a free one."""
    return socket.create_server(("127.0.0.1", port), backlog=256)
