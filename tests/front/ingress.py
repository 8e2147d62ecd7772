"""What stands before an app on Container Apps, as far as a front meets it: it sends requests to
replicas, by a cookie if the client shows one, and answers by itself while there is none."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

_COOKIE = re.compile(rb"cookie: [^\r]*affinity=(\d+)", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection: [^\r]*", re.IGNORECASE)


class Ingress:
    """One request a connection. ``replicas`` are addresses, None one that is gone; without any,
    requests are held while `holding`, else refused with ``status``.

    ``paths`` are those of the requests that came, with the replica each was sent to.
    """

    def __init__(
        self,
        replicas: Sequence[str] = (),
        *,
        sticky: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.replicas: list[str | None] = list(replicas)
        self.sticky = sticky
        self.status = 503
        self.paths: list[tuple[str, int | None]] = []
        self.arrived = threading.Condition()
        self._next = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        )
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def asked(self, path: str) -> list[int | None]:
        """Where the requests of a path were sent."""
        with self.arrived:
            return [replica for found, replica in self.paths if found == path]

    def wait_for(self, path: str, times: int = 1) -> None:
        """Wait until a path was asked for so often."""
        with self.arrived:
            enough = self.arrived.wait_for(
                lambda: [found for found, _ in self.paths].count(path) >= times, timeout=20
            )
        assert enough, f"{path} was not asked for"

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        body = await reader.readexactly(int(found[1])) if found else b""
        index = self._choose(head)
        with self.arrived:
            self.paths.append((head.split(b" ")[1].decode(), index))
            self.arrived.notify_all()
        if index is None or (address := self.replicas[index]) is None:
            writer.write(
                b"HTTP/1.1 %d No replica\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
                % self.status
            )
            await writer.drain()
            return
        place = urlsplit(address)
        replica, sender = await asyncio.open_connection(place.hostname, place.port)
        try:
            sender.write(_CONNECTION.sub(b"\r\nConnection: close", head) + body)
            answer = await replica.readuntil(b"\r\n\r\n")
            if self.sticky and not _COOKIE.search(head):
                answer = answer[:-2] + b"Set-Cookie: affinity=%d; Path=/\r\n\r\n" % index
            writer.write(answer)
            await self._pipe(replica, reader, writer)
        finally:
            sender.close()

    async def _pipe(
        self, replica: asyncio.StreamReader, reader: asyncio.StreamReader, writer: Any
    ) -> None:
        """The rest of the answer, until either side is gone."""

        async def copy() -> None:
            while data := await replica.read(65536):
                writer.write(data)
                await writer.drain()

        tasks = {asyncio.create_task(copy()), asyncio.create_task(reader.read(1))}
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _choose(self, head: bytes) -> int | None:
        there = [i for i, address in enumerate(self.replicas) if address is not None]
        if not there:
            return None
        if (found := _COOKIE.search(head)) and int(found[1]) in there:
            return int(found[1])
        self._next += 1
        return there[self._next % len(there)]
