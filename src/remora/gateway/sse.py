"""Server-sent events: an answer's deltas as they arrive.

The response writes bytes straight to the server's ``send``, without a task or a queue in between:
what it costs per token is the cost of the chunk itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, cast

from starlette.responses import Response

from remora.engine.request import Delta, Usage
from remora.gateway.answer import Answer
from remora.gateway.disconnect import disconnected
from remora.gateway.errors import ClientGone, translate

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from remora.gateway.exchange import Exchange
    from remora.gateway.settings import GatewaySettings

DONE = b"data: [DONE]\n\n"
PING = b": waiting\n\n"
START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ],
}


class Chunks(Protocol):
    """How an endpoint writes the events of a stream."""

    def chunk(self, delta: Delta) -> bytes: ...

    def usage(self, usage: Usage) -> bytes:
        """The event with the token counts; empty if the client did not ask for it."""
        ...


class EventStream(Response):
    """Streams an answer. Headers wait for the first token, so that an error before it still
    gets its own status; while that takes long, comments keep the connection alive."""

    def __init__(
        self, answer: Answer, chunks: Chunks, exchange: Exchange, settings: GatewaySettings
    ) -> None:
        super().__init__()
        self._answer = answer
        self._chunks = chunks
        self._exchange = exchange
        self._settings = settings
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `ClientGone` when the client leaves, whatever this was waiting for then."""
        me = cast("asyncio.Task[None]", asyncio.current_task())
        gone = False

        async def watch() -> None:
            nonlocal gone
            await disconnected(receive)
            gone = True
            self._answer.cancel()
            me.cancel()

        watcher = asyncio.create_task(watch())
        try:
            async with asyncio.timeout(self._settings.request_timeout):
                await self._stream(send)
            ending = self._chunks.usage(self._answer.usage) + DONE
        except asyncio.CancelledError:
            if not gone:
                raise
            me.uncancel()
        except Exception as error:
            if not self._started and not gone:
                raise
            failure = translate(error, self._exchange.id)
            self._exchange.error = failure.code
            ending = b"data: " + failure.to_json() + b"\n\n"
        finally:
            watcher.cancel()
            self._answer.close()
        if gone:
            raise ClientGone
        await send({"type": "http.response.body", "body": ending, "more_body": False})

    async def _stream(self, send: Send) -> None:
        chunk = self._chunks.chunk
        async with aclosing(self._answer.deltas()) as deltas:
            first = await self._first(deltas, send)
            await self._start(send)
            if first is not None:
                await send(body_message(chunk(first)))
            async for delta in deltas:
                await send(body_message(chunk(delta)))

    async def _start(self, send: Send) -> None:
        if not self._started:
            self._started = True
            await send(dict(START))

    async def _first(self, deltas: AsyncGenerator[Delta, None], send: Send) -> Delta | None:
        """The first delta, with a comment for every interval that it takes."""
        interval = self._settings.ping_interval
        pending = asyncio.ensure_future(_next(deltas))
        try:
            while not (await asyncio.wait({pending}, timeout=interval))[0]:
                await self._start(send)
                await send(body_message(PING))
            return pending.result()
        finally:
            if not pending.done():
                pending.cancel()
                await asyncio.gather(pending, return_exceptions=True)


async def _next(deltas: AsyncGenerator[Delta, None]) -> Delta | None:
    return await anext(deltas, None)


def body_message(data: bytes) -> Message:
    """A piece of a body that goes on."""
    return {"type": "http.response.body", "body": data, "more_body": True}
