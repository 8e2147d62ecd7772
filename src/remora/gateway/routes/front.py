"""The routes of a front: who may ask what is checked here, and all else is handed on."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from remora.backends.backend import ModelState
from remora.backends.relay import Catalogue, Presence, RelayRequest
from remora.engine.request import SamplingParams
from remora.errors import ModelNotFound
from remora.gateway.app import Routes
from remora.gateway.body import parse, receive_body, receive_json
from remora.gateway.context import front_of
from remora.gateway.exchange import exchange_of
from remora.gateway.json_response import json_response
from remora.gateway.protocol.chat import ChatBody
from remora.gateway.protocol.completion import CompletionBody
from remora.gateway.protocol.tokens import DetokenizeBody, TokenizeBody
from remora.gateway.relayed import RelayedAnswer
from remora.gateway.routes import health
from remora.gateway.routes.models import model_body

_HANDED_ON = ("authorization", "content-type", "accept")


async def list_models(request: Request) -> Response:
    """The models of the release, and of the server behind this one; asks nobody."""
    found, awake = await _catalogue(request)
    return json_response(
        {"object": "list", "data": listed(found, awake=awake), "release": found.release}
    )


async def retrieve_model(request: Request) -> Response:
    """One model; 404 names the nearest."""
    name: str = request.path_params["model"]
    found, awake = await _catalogue(request)
    models = {model["id"]: model for model in listed(found, awake=awake)}
    if name not in models:
        raise ModelNotFound(name, near=difflib.get_close_matches(name, models))
    return json_response(models[name])


async def _catalogue(request: Request) -> tuple[Catalogue, bool]:
    relay = front_of(request).backend
    return await relay.catalogue(), relay.upstream().presence is Presence.AWAKE


def listed(found: Catalogue, *, awake: bool) -> list[dict[str, Any]]:
    """Entries of ``/v1/models``: those of the release, as far as known with what the other server
    says of the same version. While it sleeps nothing is loaded, but what failed stays failed."""
    entries = []
    for name in found.cards or found.seen:
        card, seen = found.cards.get(name), dict(found.seen.get(name, {}))
        if card is not None:
            known = bool(seen) and (card.parent is None or seen.get("digest") == card.digest)
            unknown = {**model_body(card, SamplingParams()), "defaults": None}
            seen = {**unknown, **(seen if known else {})}
        if not awake and seen.get("state") != ModelState.FAILED:
            seen |= {"state": ModelState.REGISTERED, "loaded": False}
        entries.append(seen)
    return entries


async def status(request: Request) -> Response:
    """Whether the server behind this one sleeps, and since when."""
    return json_response(asdict(front_of(request).backend.upstream()))


async def create_chat_completion(request: Request) -> Response:
    """Hand a chat on."""
    settings = front_of(request).settings
    data = await receive_json(request)
    body = parse(data, ChatBody)
    body.wants_usage()
    body.request(SamplingParams(), max_n=settings.max_n, max_prompt_chars=settings.max_prompt_chars)
    return await _generated(request, data, body.model, streams=bool(body.stream))


async def create_completion(request: Request) -> Response:
    """Hand texts on."""
    settings = front_of(request).settings
    data = await receive_json(request)
    body = parse(data, CompletionBody)
    body.wants_usage()
    body.requests(
        SamplingParams(),
        max_n=settings.max_n,
        max_prompts=settings.max_prompts,
        max_prompt_chars=settings.max_prompt_chars,
    )
    return await _generated(request, data, body.model, streams=bool(body.stream))


async def tokenize(request: Request) -> Response:
    """Hand a text or a chat on, for its token ids."""
    limit = front_of(request).settings.max_prompt_chars
    data = await receive_json(request)
    body = parse(data, TokenizeBody)
    if body.text(limit) is None:
        body.chat(limit)
    return await _about_model(request, data, body.model)


async def detokenize(request: Request) -> Response:
    """Hand token ids on, for their text."""
    data = await receive_json(request)
    return await _about_model(request, data, parse(data, DetokenizeBody).model)


async def _generated(request: Request, data: bytes, model: str, *, streams: bool) -> Response:
    answer = await _about_model(request, data, model, streams=streams)
    front, exchange = front_of(request), exchange_of(request)
    exchange.stream, exchange.model = streams, model
    exchange.label = front.metrics.label(model)
    return answer


async def _about_model(
    request: Request, data: bytes, model: str, *, streams: bool = False
) -> Response:
    await front_of(request).backend.check_model(model)
    return _handed_on(request, data, model=model, streams=streams)


async def hand_on(request: Request) -> Response:
    """A request of the admin API; what only asks wakes nobody."""
    return _handed_on(request, await receive_body(request), wakes=request.method != "GET")


def _handed_on(
    request: Request,
    data: bytes,
    *,
    model: str | None = None,
    streams: bool = False,
    wakes: bool = True,
) -> Response:
    front, exchange = front_of(request), exchange_of(request)
    front.refuse_unless_ready()
    headers = {name: value for name in _HANDED_ON if (value := request.headers.get(name))}
    path = request.scope.get("raw_path", b"").decode("latin-1") or request.url.path
    query = request.url.query
    asked = RelayRequest(
        method=request.method,
        path=f"{path}?{query}" if query else path,
        headers={**headers, "x-request-id": exchange.id},
        body=data,
        model=model,
        wakes=wakes,
        streams=streams,
    )
    return RelayedAnswer(front, exchange, asked)


def _admin() -> Callable[[Request], Awaitable[Response]]:
    """A function for each route, for requests are counted by their route's function."""

    async def handed_on(request: Request) -> Response:
        return await hand_on(request)

    return handed_on


FRONT_ROUTES: Routes = (
    ("GET", "/v1/models", list_models),
    ("GET", "/v1/models/{model:path}", retrieve_model),
    ("POST", "/v1/chat/completions", create_chat_completion),
    ("POST", "/v1/completions", create_completion),
    ("POST", "/tokenize", tokenize),
    ("POST", "/detokenize", detokenize),
    ("GET", "/status", status),
    ("GET", "/livez", health.livez),
    ("GET", "/readyz", health.readyz),
    ("GET", "/metrics", health.metrics),
    ("GET", "/admin/adapters", _admin()),
    ("POST", "/admin/adapters", _admin()),
    ("PUT", "/admin/adapters/{name}", _admin()),
    ("DELETE", "/admin/adapters/{name}", _admin()),
    ("GET", "/admin/release", _admin()),
    ("POST", "/admin/release", _admin()),
)
