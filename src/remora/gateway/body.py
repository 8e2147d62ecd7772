"""Reading a request's JSON body: its size, its type, its shape."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from remora.errors import PayloadTooLarge, RequestError
from remora.gateway.context import gateway_of
from remora.gateway.errors import ClientGone, RequestTimeout, UnsupportedMediaType
from remora.gateway.protocol.body import Body, refuse_unknown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from starlette.requests import Request
    from starlette.types import Receive

B = TypeVar("B", bound=Body)

_CODES = {
    "missing": "missing_required_parameter",
    "json_invalid": "invalid_json",
    "string_unicode": "invalid_unicode",
}


async def read_body(request: Request, shape: type[B]) -> B:
    """The body as ``shape``; raises `RequestError` that names the offending parameter."""
    data = await receive_json(request)
    return parse(data, shape)


async def receive_json(request: Request) -> bytes:
    """The bytes of a body that says it is JSON; raises `RequestError` for other types."""
    _require_json(request.headers.get("content-type", ""))
    return await receive_body(request)


async def receive_body(request: Request) -> bytes:
    """The bytes of a body of any type; raises `RequestError` where it is too long or too slow."""
    settings = gateway_of(request).settings
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > settings.max_body_bytes:
        raise _too_large(settings.max_body_bytes)
    try:
        async with asyncio.timeout(settings.body_timeout):
            return await _receive(request.receive, settings.max_body_bytes)
    except TimeoutError:
        raise RequestTimeout(
            f"The body did not arrive within {settings.body_timeout:g} s."
        ) from None


def parse(data: bytes, shape: type[B]) -> B:
    """A body as ``shape``; raises `RequestError` that names the offending parameter."""
    try:
        body = shape.model_validate_json(data)
    except ValidationError as error:
        raise _most_telling(error, data) from None
    refuse_unknown(body)
    return body


def _require_json(content_type: str) -> None:
    """Only JSON: other types are what a web page of another origin can send without asking."""
    media = content_type.partition(";")[0].strip().lower()
    if media != "application/json" and not (
        media.startswith("application/") and media.endswith("+json")
    ):
        raise UnsupportedMediaType(
            f"The body must be JSON, not {media or 'untyped'!r}.",
            hint="Send the header 'Content-Type: application/json'.",
        )


async def _receive(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes, the limit of this endpoint.")


def _most_telling(error: ValidationError, data: bytes) -> RequestError:
    """The deepest of pydantic's errors: of a union's branches, the one that came furthest."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    if errors[0]["type"] == "json_invalid":
        return RequestError(
            "The body is not valid JSON:" + errors[0]["msg"].removeprefix("Invalid JSON:"),
            code="invalid_json",
        )
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    paths = [(_path(item["loc"], document, item["type"] == "missing"), item) for item in errors]
    path, item = max(paths, key=lambda entry: (len(entry[0]), _is_of_the_right_type(entry[1])))
    param = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    problem = "is missing" if item["type"] == "missing" else _lower_first(item["msg"])
    return RequestError(
        f"'{param}': {problem}." if param else f"The body: {problem}.",
        param=param or None,
        code=_CODES.get(item["type"], "invalid_value"),
    )


def _is_of_the_right_type(item: ErrorDetails) -> bool:
    return not item["type"].endswith("_type")


def _path(loc: tuple[int | str, ...], document: Any, missing: bool) -> list[int | str]:
    """The part of pydantic's location that exists in the document; the rest names its types."""
    path: list[int | str] = []
    for depth, step in enumerate(loc):
        here = (isinstance(document, dict) and step in document) or (
            isinstance(document, list) and isinstance(step, int) and step < len(document)
        )
        if here:
            document = document[step]
        elif not (missing and depth == len(loc) - 1):
            continue
        path.append(step)
    return path


def _lower_first(message: str) -> str:
    return message[:1].lower() + message[1:]
