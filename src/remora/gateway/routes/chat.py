"""``POST /v1/chat/completions``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from remora.gateway.answer import admit
from remora.gateway.body import read_body
from remora.gateway.chat_format import ChatChunks, chat_body
from remora.gateway.context import gateway_of
from remora.gateway.disconnect import until_gone
from remora.gateway.exchange import exchange_of
from remora.gateway.json_response import json_response
from remora.gateway.protocol.chat import ChatBody
from remora.gateway.sse import EventStream


async def create_chat_completion(request: Request) -> Response:
    """Answer a chat, whole or as a stream."""
    gateway, exchange = gateway_of(request), exchange_of(request)
    settings = gateway.settings
    body = await read_body(request, ChatBody)
    include_usage = body.wants_usage()
    asked = body.request(
        gateway.backend.defaults(),
        max_n=settings.max_n,
        max_prompt_chars=settings.max_prompt_chars,
    )
    logprobs = bool(body.logprobs)

    admission = admit(gateway, exchange, [lambda: gateway.backend.chat(asked)], asked.n)
    answer = await until_gone(request.receive, admission)
    if body.stream:
        exchange.stream = True
        chunks = ChatChunks(answer, logprobs=logprobs, include_usage=include_usage)
        return EventStream(answer, chunks, exchange, settings)
    choices = await until_gone(request.receive, answer.collect())
    return json_response(chat_body(answer, choices, logprobs=logprobs))
