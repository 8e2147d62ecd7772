"""The one border where exceptions become OpenAI-shaped error bodies.

| exception                     | status | type                    |
| ----------------------------- | ------ | ----------------------- |
| `RequestError` and its kin    | its own: 400, 401, 404, 409, 413, 429 | by status |
| `NotReady`                    | 503    | ``service_unavailable_error`` |
| other `RemoraError`           | its own | by status              |
| Starlette's `HTTPException`   | its own: 404, 405 | by status    |
| `TimeoutError`                | 504    | ``server_error``        |
| anything else                 | 500    | ``server_error``, opaque |
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.responses import Response

from remora.errors import RemoraError, RequestError, Unauthorized

logger = logging.getLogger("remora.gateway")

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}


class Forbidden(RequestError):
    """The key, or the place that the request comes from, does not allow this."""

    http_status = 403
    code = "forbidden"


class RequestTimeout(RequestError):
    """The body took too long to arrive."""

    http_status = 408
    code = "request_timeout"


class UnsupportedMediaType(RequestError):
    """The body is not JSON."""

    http_status = 415
    code = "unsupported_media_type"


class TooManyRequests(RequestError):
    """More requests at once than the gateway holds."""

    http_status = 429
    code = "too_many_requests"
    retry_after = 1


class NoRelease(RequestError):
    """The server serves no share, and so no release."""

    http_status = 404
    code = "no_release"

    def __init__(self) -> None:
        super().__init__(
            "This server serves no release.", hint="`remora serve --share` serves one of a share."
        )


class ClientGone(Exception):
    """The client disconnected: nobody is left to answer."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as the OpenAI API writes it, with its status and headers."""

    status: int
    message: str
    param: str | None = None
    code: str | None = None
    hint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return _TYPES.get(self.status) or (
            "server_error" if self.status >= 500 else "invalid_request_error"
        )

    def to_json(self) -> bytes:
        error = {
            "message": f"{self.message} {self.hint}" if self.hint else self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return json.dumps({"error": error}).encode()

    def response(self) -> Response:
        return Response(self.to_json(), self.status, dict(self.headers), "application/json")


def translate(error: BaseException, request_id: str) -> ErrorBody:
    """The answer to any exception; the unexpected is logged with its traceback and kept opaque."""
    if isinstance(error, RemoraError):
        return _from_remora(error)
    if isinstance(error, HTTPException):
        return _from_starlette(error)
    if isinstance(error, TimeoutError):
        return ErrorBody(504, "The answer took longer than this endpoint allows.", code="timeout")
    logger.error("unexpected error", exc_info=error, extra={"fields": {"id": request_id}})
    return ErrorBody(
        500,
        f"The server failed unexpectedly. Its log tells more about request {request_id}.",
        code="internal_error",
    )


def _from_remora(error: RemoraError) -> ErrorBody:
    headers: dict[str, str] = {}
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return ErrorBody(
        status=error.http_status,
        message=str(error),
        param=getattr(error, "param", None),
        code=error.code,
        hint=error.hint,
        headers=headers,
    )


def _from_starlette(error: HTTPException) -> ErrorBody:
    messages = {404: "There is no such route.", 405: "This route does not answer that method."}
    return ErrorBody(
        status=error.status_code,
        message=messages.get(error.status_code, error.detail),
        code={404: "unknown_route", 405: "method_not_allowed"}.get(error.status_code),
        hint="GET /openapi.json lists the routes." if error.status_code in messages else None,
        headers=error.headers or {},
    )
