"""``POST /tokenize`` and ``POST /detokenize``, as vLLM has them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from remora.gateway.body import read_body
from remora.gateway.context import gateway_of
from remora.gateway.json_response import json_response
from remora.gateway.protocol.tokens import DetokenizeBody, TokenizeBody


async def tokenize(request: Request) -> Response:
    """Token ids of a text, or of a chat as its template writes it."""
    gateway = gateway_of(request)
    limit = gateway.settings.max_prompt_chars
    body = await read_body(request, TokenizeBody)
    text = body.text(limit)
    if text is None:
        tokens = await gateway.backend.tokenize_chat(body.chat(limit))
    else:
        special = body.add_special_tokens is not False
        tokens = await gateway.backend.tokenize(body.model, text, add_special_tokens=special)
    return json_response(
        {
            "count": len(tokens.ids),
            "max_model_len": tokens.context_length,
            "tokens": list(tokens.ids),
            "token_strs": list(tokens.texts),
        }
    )


async def detokenize(request: Request) -> Response:
    """The text of token ids."""
    body = await read_body(request, DetokenizeBody)
    text = await gateway_of(request).backend.detokenize(body.model, body.tokens)
    return json_response({"prompt": text})
