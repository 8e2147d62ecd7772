"""A server for an ASGI app, in a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.azure.own_certificate import Certificate


@contextmanager
def served(app: ASGIApp, certificate: Certificate | None = None) -> Iterator[str]:
    """The address of a server of ``app``, over TLS if it has a certificate."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()  # The socket listens already: whoever connects is answered in a moment.
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
