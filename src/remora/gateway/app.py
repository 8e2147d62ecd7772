"""The ASGI app over a backend."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from remora import __version__
from remora.backends.backend import Backend
from remora.gateway.auth import AuthMiddleware
from remora.gateway.context import Gateway
from remora.gateway.errors import translate
from remora.gateway.exchange import ExchangeMiddleware, exchange_of
from remora.gateway.metrics import Metrics
from remora.gateway.routes import adapters, chat, completions, health, models, tokens
from remora.gateway.settings import GatewaySettings

_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}


def create_app(backend: Backend, settings: GatewaySettings) -> FastAPI:
    """The OpenAI API, health, metrics and the admin API over ``backend``.

    The backend may still be loading: generation is answered with 503 until it is ready. The app
    neither starts nor closes it.
    """
    gateway = Gateway(backend, settings, Metrics(backend))
    middleware = [
        Middleware(ExchangeMiddleware, gateway=gateway),
        Middleware(AuthMiddleware, settings=settings),
    ]
    if settings.cors_origins:
        middleware.insert(0, _cors(settings))
    app = FastAPI(
        title="Remora",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=middleware,
        exception_handlers={HTTPException: _http_error},
        telemetry=_TELEMETRY,
    )
    app.state.gateway = gateway
    for routes in (models, chat, completions, tokens, health, adapters):
        app.include_router(routes.router)
    app.openapi = _openapi  # type: ignore[method-assign]
    return app


def _openapi() -> dict[str, Any]:
    # Imported when asked for: the models of answers are of no other use, and cost start-up time.
    from remora.gateway.openapi import document

    return document()


def _cors(settings: GatewaySettings) -> Middleware:
    from starlette.middleware.cors import CORSMiddleware

    return Middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
        expose_headers=["X-Request-Id", "Retry-After"],
    )


async def _http_error(request: Request, error: Exception) -> Response:
    """Routes that don't exist: the one error that the framework answers by itself."""
    return translate(error, exchange_of(request).id).response()
