"""``/livez``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from remora.backends.backend import Phase
from remora.gateway.context import gateway_of
from remora.gateway.json_response import json_response


async def livez(request: Request) -> Response:
    """The process answers; nothing is said of the model."""
    return json_response({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 when requests are answered, else 503 with how far the backend has come."""
    status = gateway_of(request).readiness()
    body = {"phase": status.phase, "detail": status.detail, "progress": status.progress}
    if status.phase is Phase.READY:
        return json_response(body)
    return json_response(body, 503, {"Retry-After": "1"})


async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    return Response(
        gateway_of(request).metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )
