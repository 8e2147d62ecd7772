"""``POST /v1/completions``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from remora.backends.backend import Backend, CompletionRequest
from remora.gateway.answer import admit
from remora.gateway.body import read_body
from remora.gateway.completion_format import CompletionChunks, completion_body
from remora.gateway.context import gateway_of
from remora.gateway.disconnect import until_gone
from remora.gateway.exchange import exchange_of
from remora.gateway.json_response import json_response
from remora.gateway.protocol.completion import CompletionBody
from remora.gateway.sse import EventStream


async def create_completion(request: Request) -> Response:
    """Go on from one or several texts, whole or as a stream."""
    gateway, exchange = gateway_of(request), exchange_of(request)
    settings = gateway.settings
    body = await read_body(request, CompletionBody)
    include_usage = body.wants_usage()
    asked = body.requests(
        gateway.backend.defaults(),
        max_n=settings.max_n,
        max_prompts=settings.max_prompts,
        max_prompt_chars=settings.max_prompt_chars,
    )
    logprobs = body.logprobs is not None
    gateway.refuse_unless_ready()
    echoes = await _echoes(gateway.backend, asked, wanted=bool(body.echo))

    admissions = [partial(gateway.backend.complete, one) for one in asked]
    admission = admit(gateway, exchange, admissions, asked[0].n)
    answer = await until_gone(request.receive, admission)
    if body.stream:
        exchange.stream = True
        chunks = CompletionChunks(answer, echoes, logprobs=logprobs, include_usage=include_usage)
        return EventStream(answer, chunks, exchange, settings)
    choices = await until_gone(request.receive, answer.collect())
    return json_response(completion_body(answer, choices, echoes, logprobs=logprobs))


async def _echoes(
    backend: Backend, asked: Sequence[CompletionRequest], *, wanted: bool
) -> list[str]:
    """What each choice's text begins with: its prompt if that is wanted, else nothing."""
    echoes: list[str] = []
    for one in asked:
        echo = ""
        if wanted:
            prompt = one.prompt
            echo = (
                prompt if isinstance(prompt, str) else await backend.detokenize(one.model, prompt)
            )
        echoes += [echo] * one.n
    return echoes
