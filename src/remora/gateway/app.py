"""The ASGI app over a backend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from remora.backends.backend import Service
from remora.gateway.auth import AuthMiddleware
from remora.gateway.context import Gateway
from remora.gateway.errors import translate
from remora.gateway.exchange import ExchangeMiddleware, exchange_of
from remora.gateway.metrics import Metrics
from remora.gateway.routes import adapters, chat, completions, health, models, release, tokens
from remora.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from remora.reconcile.reconciler import Reconciler


# Method, path and function. Bodies are read by `remora.gateway.body`, and described by `openapi`.
Routes = Sequence[tuple[str, str, Callable[[Request], Awaitable[Response]]]]

ROUTES: Routes = (
    ("GET", "/v1/models", models.list_models),
    ("GET", "/v1/models/{model:path}", models.retrieve_model),
    ("POST", "/v1/chat/completions", chat.create_chat_completion),
    ("POST", "/v1/completions", completions.create_completion),
    ("POST", "/tokenize", tokens.tokenize),
    ("POST", "/detokenize", tokens.detokenize),
    ("GET", "/livez", health.livez),
    ("GET", "/readyz", health.readyz),
    ("GET", "/metrics", health.metrics),
    ("GET", "/admin/adapters", adapters.list_adapters),
    ("POST", "/admin/adapters", adapters.add_adapter),
    ("PUT", "/admin/adapters/{name}", adapters.put_adapter),
    ("DELETE", "/admin/adapters/{name}", adapters.remove_adapter),
    ("GET", "/admin/release", release.get_release),
    ("POST", "/admin/release", release.push_release),
)


def create_app(
    backend: Service,
    settings: GatewaySettings,
    reconciler: Reconciler | None = None,
    routes: Routes = ROUTES,
) -> Starlette:
    """The OpenAI API, health, metrics and the admin API over ``backend``, a `Backend`; or over
    what else the ``routes`` know how to ask.

    The backend may still be loading: generation is answered with 503 until it is ready. The app
    neither starts nor closes it.
    """
    paths = {endpoint: path.replace(":path", "") for _, path, endpoint in routes}
    gateway = Gateway(backend, settings, Metrics(backend), paths, reconciler)
    middleware = [
        Middleware(ExchangeMiddleware, gateway=gateway),
        Middleware(AuthMiddleware, settings=settings),
    ]
    if settings.cors_origins:
        middleware.insert(0, _cors(settings))

    async def openapi(_: Request) -> Response:
        # Imported when asked for: models of answers are of no other use, and cost start-up time.
        from remora.gateway.openapi import document

        return JSONResponse(document(operations(routes)))

    served = [Route(path, endpoint, methods=[method]) for method, path, endpoint in routes]
    app = Starlette(
        routes=[*served, Route("/openapi.json", openapi)],
        middleware=middleware,
        exception_handlers={HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return app


def operations(routes: Routes) -> set[tuple[str, str]]:
    """Method and path of each route, as the OpenAPI document writes them."""
    return {(method.lower(), path.replace(":path", "")) for method, path, _ in routes}


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
    told = translate(error, exchange_of(request).id)
    path = f"/v1{request.url.path}"
    if told.status == 404 and _methods(request, path):
        told = replace(told, hint=f"It is {path}: the base URL of a client ends with /v1.")
    response = told.response()
    if response.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request, request.url.path))
    return response


def _methods(request: Request, path: str) -> list[str]:
    """All methods of a path, which the framework names one route at a time."""
    found: set[str] = set()
    for route in request.app.routes:
        scope = {**request.scope, "path": path}
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)
