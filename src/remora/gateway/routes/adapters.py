"""The admin API: list, add, replace and remove adapters while others stream."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from remora.backends.backend import Backend
from remora.errors import Conflict, RequestError
from remora.gateway.body import read_body
from remora.gateway.context import Gateway, gateway_of
from remora.gateway.json_response import json_response
from remora.gateway.protocol.adapters import NAME_PATTERN, AddAdapterBody, ReplaceAdapterBody
from remora.gateway.routes.models import model_body, model_list


async def list_adapters(request: Request) -> Response:
    """The adapters by name, without the base."""
    backend = gateway_of(request).backend
    adapters = [card for card in backend.models() if card.parent is not None]
    return json_response(model_list(adapters, backend.defaults()))


async def add_adapter(request: Request) -> Response:
    """Add an adapter; 409 when the name is taken, unless ``replace`` is true."""
    body = await read_body(request, AddAdapterBody)
    gateway = _writable(request)
    path = await asyncio.to_thread(_folder, body.path, gateway.settings.adapter_root)
    card = await gateway.backend.add_adapter(body.name, path, replace=bool(body.replace))
    return json_response(model_body(card, gateway.backend.defaults()), 201)


async def put_adapter(request: Request) -> Response:
    """Add an adapter, or replace the one of that name."""
    name: str = request.path_params["name"]
    if not re.fullmatch(NAME_PATTERN.removesuffix("$") + r"\Z", name):
        raise RequestError(
            f"{name!r} is not a name for an adapter.",
            param="name",
            hint="Use letters, digits, '.', '_' and '-'; begin with a letter or digit.",
        )
    body = await read_body(request, ReplaceAdapterBody)
    gateway = _writable(request)
    path = await asyncio.to_thread(_folder, body.path, gateway.settings.adapter_root)
    card = await gateway.backend.add_adapter(name, path, replace=True)
    return json_response(model_body(card, gateway.backend.defaults()))


async def remove_adapter(request: Request) -> Response:
    """Remove an adapter; what it streams goes on to its end."""
    name: str = request.path_params["name"]
    await _writable(request).backend.remove_adapter(name)
    return json_response({"id": name, "object": "model", "deleted": True})


def _writable(request: Request) -> Gateway[Backend]:
    """The gateway; raises `Conflict` where a share's release says which adapters are served."""
    gateway = gateway_of(request)
    if gateway.reconciler is not None:
        raise Conflict(
            "This server serves a release, which says what its adapters are.",
            hint="Change the project, and `remora deploy` it.",
        )
    return gateway


def _folder(given: str, root: Path | None) -> Path:
    """The adapter's folder, links resolved; raises `RequestError` outside of ``root``."""
    try:
        path = Path(given)
        if root is None and not path.is_absolute():
            raise RequestError(f"'path' must be absolute: {given!r}.", param="path")
        folder = path.resolve() if root is None else (root / path).resolve()
        if root is not None and not folder.is_relative_to(root.resolve()):
            raise RequestError(
                f"'path' leads out of the adapters' folder: {given!r}.", param="path"
            )
        if not folder.is_dir():
            raise RequestError(f"'path' is not a folder on the server: {given!r}.", param="path")
    except (ValueError, OSError, RuntimeError):  # NUL, too long, a loop of links
        raise RequestError(f"'path' can't be a path: {given!r}.", param="path") from None
    return folder
