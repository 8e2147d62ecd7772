"""``GET /v1/models`` and ``GET /v1/models/{id}``: answered while the backend still loads, too."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from remora.backends.backend import ModelCard, ModelState
from remora.engine.request import SamplingParams
from remora.errors import ModelNotFound
from remora.gateway.context import gateway_of
from remora.gateway.json_response import json_response
from remora.gateway.protocol.sampling import SAMPLING


async def list_models(request: Request) -> Response:
    """The base model first, then the adapters by name; of a share also the release."""
    gateway = gateway_of(request)
    release = gateway.reconciler.release if gateway.reconciler else None
    cards, defaults = gateway.backend.models(), gateway.backend.defaults()
    load = gateway.backend.load()
    busy = {"running": load.running, "waiting": load.waiting}
    return json_response(model_list(cards, defaults) | {"release": release, "load": busy})


async def retrieve_model(request: Request) -> Response:
    """One model; 404 names the nearest."""
    name: str = request.path_params["model"]
    backend = gateway_of(request).backend
    cards = backend.models()
    for card in cards:
        if card.id == name:
            return json_response(model_body(card, backend.defaults()))
    raise ModelNotFound(name, near=difflib.get_close_matches(name, [card.id for card in cards]))


def model_list(cards: Sequence[ModelCard], defaults: SamplingParams) -> dict[str, Any]:
    """Models as OpenAI lists them."""
    return {"object": "list", "data": [model_body(card, defaults) for card in cards]}


def model_body(card: ModelCard, defaults: SamplingParams) -> dict[str, Any]:
    """OpenAI's fields, vLLM's (``root``, ``parent``, ``max_model_len``), and Remora's own."""
    return {
        "id": card.id,
        "object": "model",
        "created": card.created,
        "owned_by": "remora",
        "root": card.parent or card.id,
        "parent": card.parent,
        "max_model_len": card.context_length,
        "state": card.state,
        "loaded": card.state is ModelState.READY,
        "reason": card.reason,
        "digest": card.digest,
        "rank": card.rank,
        "runtime": card.runtime,
        "probe": None if card.probe is None else asdict(card.probe),
        "defaults": {name: getattr(defaults, name) for name in SAMPLING},
    }
