"""What the peers made here have in common: their options, a request, OpenAI's chunks, the app."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRANSFORMERS = (
    "transformers==5.23.0",
    "peft==0.21.2",
    "fastapi==0.165.0",
    "uvicorn==0.54.0",
    "openai>=1.98",
    "accelerate>=1.2",
)
"""One environment serves all peers that are made of transformers."""


@dataclass(frozen=True, slots=True)
class Options:
    """A peer's command line."""

    model: Path
    adapters: list[Path]
    port: int
    device: str


def options() -> Options:
    """Read the command line that `contender.module_command` writes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, action="append", default=[])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device", required=True)
    read = parser.parse_args()
    return Options(read.model, read.adapter, read.port, read.device)


def chunk(model: str, text: str) -> str:
    """A server-sent event with some text."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return event(model, {"choices": [choice]})


def last_chunks(model: str, prompt_tokens: int, completion_tokens: int) -> Iterator[str]:
    """The events that end a stream, usage among them."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    choice = {"index": 0, "delta": {}, "finish_reason": "length"}
    yield event(model, {"choices": [choice]})
    yield event(model, {"choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def event(model: str, content: dict[str, Any]) -> str:
    """A server-sent event of OpenAI's chat stream."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": int(time.time())}
    return f"data: {json.dumps({**head, 'model': model, **content})}\n\n"


def serve(answer: Callable[[dict[str, Any]], Any], port: int) -> None:
    """Serve ``answer``, which turns a request's body into an iterator of events."""
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    async def ready() -> dict[str, bool]:
        return {"ready": True}

    async def chat(request: Request) -> StreamingResponse:
        return StreamingResponse(answer(await request.json()), media_type="text/event-stream")

    # Annotations are strings here and `Request` is a local name: FastAPI must be told.
    chat.__annotations__["request"] = Request
    app.get("/ready")(ready)
    app.post("/v1/chat/completions", response_model=None)(chat)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
