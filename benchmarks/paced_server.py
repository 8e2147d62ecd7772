"""An endpoint that streams at a set pace, without a model: ``python -m benchmarks.paced_server``.

It costs next to nothing, so that what stands before it can be measured. A pace of 0 is as fast as
it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MODEL = "paced"


def event(choices: list[object], **fields: object) -> bytes:
    """One event, as long as those of a real server."""
    head = {
        "id": "chatcmpl-0123456789abcdef0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1_800_000_000,
        "model": MODEL,
        "system_fingerprint": "fp_0123456789ab",
    }
    return f"data: {json.dumps({**head, 'choices': choices, **fields})}\n\n".encode()


def choice(**delta: str) -> list[object]:
    """The choices of an event that brings one token."""
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]


async def tokens(count: int, pace: float) -> AsyncIterator[bytes]:
    """``count`` tokens, each ``pace`` seconds after the one before, and their number."""
    piece, due = event(choice(content=" word")), asyncio.get_running_loop().time()
    for _ in range(count):
        due += pace
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        yield piece
    usage = {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": count + 1}
    yield event([], usage=usage) + b"data: [DONE]\n\n"


class Named:
    """Adds the header by which a front knows Remora's answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-remora-server", b"paced")]
            await send(message)

        await self._app(scope, receive, named)


def app(pace: float) -> Starlette:
    """The endpoint."""

    async def chat(request: Request) -> Response:
        body = await request.json()
        count = int(body["max_tokens"])
        if body.get("stream"):
            return StreamingResponse(tokens(count, pace), media_type="text/event-stream")
        return JSONResponse({"choices": [{"message": {"content": "word"}}]})

    async def ready(_: Request) -> Response:
        return JSONResponse({"phase": "ready"})

    async def models(_: Request) -> Response:
        return JSONResponse({"data": [{"id": MODEL, "state": "ready", "parent": None}]})

    return Starlette(
        routes=[
            Route("/readyz", ready),
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ],
        middleware=[Middleware(Named)],
    )


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paced_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pace", type=float, required=True, help="seconds between tokens")
    options = parser.parse_args()
    uvicorn.run(app(options.pace), port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
