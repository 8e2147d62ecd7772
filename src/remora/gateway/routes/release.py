"""Which release is served, and the push that makes the server look at its share at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from remora.gateway.context import gateway_of
from remora.gateway.errors import NoRelease
from remora.gateway.json_response import json_response

if TYPE_CHECKING:
    from remora.reconcile.reconciler import Reconciler


async def get_release(request: Request) -> Response:
    """What is served, what should be, and why the two differ."""
    return json_response(_reconciler(request).report().model_dump(mode="json"))


async def push_release(request: Request) -> Response:
    """Look at the share now, and try again what was refused."""
    reconciler = _reconciler(request)
    reconciler.push()
    return json_response(reconciler.report().model_dump(mode="json"), 202)


def _reconciler(request: Request) -> Reconciler:
    found = gateway_of(request).reconciler
    if found is None:
        raise NoRelease
    return found
