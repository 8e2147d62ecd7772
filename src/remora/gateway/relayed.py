"""An answer of another server on its way to the client, and the wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.responses import Response

from remora.backends.relay import Presence, Relay, RelayAnswer, RelayRequest
from remora.errors import NotReady
from remora.gateway.context import Gateway
from remora.gateway.disconnect import until_gone
from remora.gateway.errors import translate
from remora.gateway.sse import START, body_message

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from remora.gateway.exchange import Exchange

REFUSAL = 0.05  # s in which what is refused at once gets a status of its own
PROGRESS = 2.0  # s between two words on how far a wake has come


class RelayedAnswer(Response):
    """Hands a request on, and its answer back as it comes.

    A stream that must wait begins with comments, so that nothing on the way gives it up. What goes
    wrong after that is its last event; before, it has a status of its own.
    """

    def __init__(self, gateway: Gateway[Relay], exchange: Exchange, request: RelayRequest) -> None:
        super().__init__()
        self._gateway = gateway
        self._exchange = exchange
        self._request = request
        self._started = False
        self._cut = False
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `ClientGone` when the client leaves, whatever this was waiting for then."""
        self._task = asyncio.ensure_future(self._give(send))
        self._gateway.answers.add(self)
        try:
            await until_gone(receive, self._task)
        finally:
            self._gateway.answers.discard(self)

    def cancel(self) -> None:
        """End it, as the server ends; the client is told."""
        self._cut = True
        if self._task is not None:
            self._task.cancel()

    async def _give(self, send: Send) -> None:
        failure: Exception
        try:
            async with asyncio.timeout(self._gateway.settings.request_timeout):
                answer = await self._awaited(send)
                try:
                    return await self._hand_back(answer, send)
                finally:
                    await answer.close()
        except asyncio.CancelledError:
            if not self._cut:
                raise
            failure = NotReady("The server shut down before the answer's end.", retry_after=5)
        except Exception as error:  # noqa: BLE001 - told below, or by the border
            failure = error
        if not self._started:
            raise failure
        told = translate(failure, self._exchange.id)
        self._exchange.error = told.code
        await send(_last(_event(told.to_json())))
        return None

    async def _awaited(self, send: Send) -> RelayAnswer:
        """The answer when it begins; a stream gets a comment for every interval before that."""
        relay = self._gateway.backend
        pending = asyncio.ensure_future(relay.send(self._request))
        try:
            wait, silent = REFUSAL, 0.0
            interval = self._gateway.settings.ping_interval
            while self._request.streams and not (await asyncio.wait({pending}, timeout=wait))[0]:
                silent += wait
                if silent >= interval or not self._is_awake():
                    await self._start(send)
                    await send(body_message(self._comment()))
                    silent = 0.0
                wait = min(PROGRESS, interval)
            return await pending
        finally:
            if not pending.done():
                pending.cancel()
                await asyncio.gather(pending, return_exceptions=True)

    def _is_awake(self) -> bool:
        return self._gateway.backend.upstream().presence is Presence.AWAKE

    def _comment(self) -> bytes:
        status = self._gateway.backend.upstream()
        words = "waiting" if status.presence is Presence.AWAKE else status.presence
        detail = " ".join(status.detail.split())
        return f": {words}{detail and f', {detail}'}\n\n".encode()

    async def _hand_back(self, answer: RelayAnswer, send: Send) -> None:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return await self._hand_back_events(answer, send)
        body = b"".join([piece async for piece in answer.pieces()])
        if self._started:
            self._exchange.error = f"http_{answer.status}"
            return await send(_last(_event(body)))
        headers = {**answer.headers, "content-length": str(len(body))}
        await send(_head(answer.status, headers))
        return await send(_last(body))

    async def _hand_back_events(self, answer: RelayAnswer, send: Send) -> None:
        async with aclosing(whole_events(answer.pieces())) as events:
            async for piece in events:
                if self._exchange.ttft is None:
                    self._gateway.metrics.meter(self._exchange).arrived(0)
                await self._start(send)
                await send(body_message(piece))
        await self._start(send)
        await send(_last(b""))

    async def _start(self, send: Send) -> None:
        if not self._started:
            self._started = True
            await send(dict(START))


async def whole_events(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Pieces cut where server-sent events end, so that one that breaks off is not told by half."""
    rest = b""
    async with aclosing(pieces):
        async for piece in pieces:
            if not rest and piece.endswith(b"\n\n"):
                yield piece
                continue
            whole, end, rest = (rest + piece).rpartition(b"\n\n")
            if end:
                yield whole + end
    if rest:
        yield rest


def _event(data: bytes) -> bytes:
    """Whatever was answered in place of a stream, as an event: without breaks, as JSON is."""
    return b"data: " + b" ".join(data.split()) + b"\n\n"


def _head(status: int, headers: dict[str, str]) -> Message:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": encoded}


def _last(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": False}
