"""HTTP to a port inside a replica."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from tests.azure.double.runtime.sandbox import Sandbox, SandboxError


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except OSError as error:
            raise httpcore.ReadError from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        try:
            self._writer.write(buffer)
            async with asyncio.timeout(timeout):
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except OSError as error:
            raise httpcore.WriteError from error

    async def aclose(self) -> None:
        self._writer.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("an ingress ends TLS")

    def get_extra_info(self, info: str) -> Any:
        """Httpcore asks whether an idle connection has something to read: its end, that is."""
        return self._reader.at_eof() if info == "is_readable" else None


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            made = await self._sandbox.connect(port)
        except SandboxError as error:
            raise httpcore.ConnectError(str(error)) from error
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Stream(*await asyncio.open_connection(sock=made))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def pool(sandbox: Sandbox) -> httpcore.AsyncConnectionPool:
    """Connections to a replica, kept for the next request."""
    return httpcore.AsyncConnectionPool(
        max_connections=None, max_keepalive_connections=64, network_backend=_Backend(sandbox)
    )
