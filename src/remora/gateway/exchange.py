"""One HTTP request and its answer: its id, its log line, and the border where errors end.

This is the outermost part of the app but for CORS. It is plain ASGI: what passes through it for
every token of a stream is one function call.
"""

from __future__ import annotations

import logging
import re
import uuid
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from remora.gateway.context import Gateway
from remora.gateway.errors import ClientGone, TooManyRequests, translate

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from remora.engine.request import Usage

logger = logging.getLogger("remora.access")

CLIENT_GONE = 499  # nobody reads this status; logs and metrics show it
_SAFE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
_SCOPE_KEY = "remora.exchange"


@dataclass(slots=True)
class Exchange:
    """What is known of a request when its log line is written; times in seconds."""

    id: str
    method: str
    path: str
    started: float = field(default_factory=perf_counter)
    status: int = 0
    model: str | None = None
    label: str = ""
    usage: Usage | None = None
    ttft: float | None = None
    stream: bool = False
    error: str | None = None


def exchange_of(request: Request) -> Exchange:
    """What `ExchangeMiddleware` notes of a request."""
    exchange: Exchange = request.scope[_SCOPE_KEY]
    return exchange


class ExchangeMiddleware:
    """Gives each request an id, bounds how many there are, answers errors, writes the log line."""

    def __init__(self, app: ASGIApp, gateway: Gateway[Any]) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(_request_id(scope), scope["method"], scope["path"])
        scope[_SCOPE_KEY] = exchange
        ids = (
            (b"x-request-id", exchange.id.encode()),
            (b"x-remora-server", self._gateway.id.encode()),
        )

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *ids]
            await send(message)

        gateway = self._gateway
        gateway.in_flight += 1
        try:
            limit = gateway.settings.max_in_flight
            if gateway.in_flight > limit and exchange.path not in _PROBES:
                raise TooManyRequests(f"More than {limit} requests are under way.")
            await self._app(scope, receive, tagged)
        except ClientGone:
            exchange.status = CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the border: all errors end here
            answer = translate(error, exchange.id)
            exchange.error = answer.code
            if exchange.status == 0:
                await answer.response()(scope, receive, tagged)
        finally:
            gateway.in_flight -= 1
            self._record(exchange, scope)

    def _record(self, exchange: Exchange, scope: Scope) -> None:
        duration = perf_counter() - exchange.started
        path = self._gateway.paths.get(scope.get("endpoint"), "unknown")
        self._gateway.metrics.finished(exchange, path, duration)
        level = logging.DEBUG if exchange.path in _PROBES else logging.INFO
        if not logger.isEnabledFor(level):
            return
        fields: dict[str, object] = {
            "id": exchange.id,
            "method": exchange.method,
            "path": exchange.path,
            "status": exchange.status,
            "duration": round(duration, 4),
        }
        if exchange.model is not None:
            fields |= {"model": exchange.model, "stream": exchange.stream}
        if exchange.usage is not None:
            fields |= {
                "prompt_tokens": exchange.usage.prompt_tokens,
                "completion_tokens": exchange.usage.completion_tokens,
                "cached_tokens": exchange.usage.cached_tokens,
            }
        if exchange.error is not None:
            fields["error"] = exchange.error
        if exchange.ttft is not None:
            fields["ttft"] = round(exchange.ttft, 4)
        logger.log(level, "request", extra={"fields": fields})


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE_ID.fullmatch(value):
            given: bytes = value
            return given.decode()
    return f"req-{uuid.uuid4().hex}"
