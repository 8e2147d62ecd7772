"""``remora ui``: the pages in a process of their own, on this machine's loopback address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from remora.ui.site import Site

if TYPE_CHECKING:
    from starlette.types import ASGIApp

FLUSH = 2  # s that open answers get when it ends


def serve(site: Site, listener: socket.socket) -> None:
    """Serve on a listening socket until a signal ends it; SIGINT raises `KeyboardInterrupt`."""
    config = uvicorn.Config(
        _app(site),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=FLUSH,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _app(site: Site) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        site.prepare()
        running = asyncio.create_task(site.run())
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    return Starlette(routes=[Mount("/", site)], lifespan=lifespan)
