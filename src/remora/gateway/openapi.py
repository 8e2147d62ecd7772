"""The OpenAPI document: a table of the operations, and what it says of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from remora import __version__
from remora.gateway.protocol import adapters, answers, chat, completion, tokens
from remora.release.report import Report

_GENERATION_ERRORS = (400, 404, 408, 413, 415, 429, 500, 503, 504)
_REF = "#/components/schemas/{model}"
_KEYS = {"api": "apiKey", "admin": "adminKey"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``answer`` None is plain text."""

    method: Literal["get", "post", "put", "delete"]
    path: str
    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    status: int = 200
    errors: Sequence[int] = ()
    key: Literal["api", "admin"] | None = "api"
    streams: bool = False


OPERATIONS = (
    Operation("get", "/v1/models", "List the base model and the adapters", answers.ModelListAnswer),
    Operation("get", "/v1/models/{model}", "One model", answers.ModelAnswer, errors=(404,)),
    Operation(
        "post",
        "/v1/chat/completions",
        "Answer a chat",
        answers.ChatAnswer,
        chat.ChatBody,
        errors=_GENERATION_ERRORS,
        streams=True,
    ),
    Operation(
        "post",
        "/v1/completions",
        "Go on from a text",
        answers.CompletionAnswer,
        completion.CompletionBody,
        errors=_GENERATION_ERRORS,
        streams=True,
    ),
    Operation(
        "post",
        "/tokenize",
        "Token ids of a text or chat",
        answers.TokenizeAnswer,
        tokens.TokenizeBody,
        errors=(400, 404, 408, 413, 415, 503),
    ),
    Operation(
        "post",
        "/detokenize",
        "Text of token ids",
        answers.DetokenizeAnswer,
        tokens.DetokenizeBody,
        errors=(400, 404, 408, 413, 415, 503),
    ),
    Operation("get", "/livez", "Whether the process answers", answers.LiveAnswer, key=None),
    Operation("get", "/readyz", "Whether requests are answered", answers.ReadyAnswer, key=None),
    Operation(
        "get", "/status", "Whether the server behind the front sleeps", answers.UpstreamAnswer
    ),
    Operation("get", "/metrics", "Prometheus metrics", None),
    Operation("get", "/admin/adapters", "List the adapters", answers.ModelListAnswer, key="admin"),
    Operation(
        "post",
        "/admin/adapters",
        "Add an adapter",
        answers.ModelAnswer,
        adapters.AddAdapterBody,
        status=201,
        errors=(400, 408, 409, 413, 415, 503),
        key="admin",
    ),
    Operation(
        "put",
        "/admin/adapters/{name}",
        "Add or replace an adapter",
        answers.ModelAnswer,
        adapters.ReplaceAdapterBody,
        errors=(400, 408, 413, 415, 503),
        key="admin",
    ),
    Operation(
        "delete",
        "/admin/adapters/{name}",
        "Remove an adapter",
        answers.DeletedAnswer,
        errors=(400, 404, 503),
        key="admin",
    ),
    Operation(
        "get",
        "/admin/release",
        "Which release is served, and which should be",
        Report,
        errors=(404,),
        key="admin",
    ),
    Operation(
        "post",
        "/admin/release",
        "Look at the share now, and try again what was refused",
        Report,
        status=202,
        errors=(404,),
        key="admin",
    ),
)


def document(served: Collection[tuple[str, str]]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a gateway that serves these methods (in lower case) and paths."""
    paths: dict[str, Any] = {}
    shown = [o for o in OPERATIONS if (o.method, o.path) in served]
    for operation in shown:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Remora",
            "version": __version__,
            "description": "A base model and many LoRA adapters behind one OpenAI-compatible API.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(shown),
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer"},
                "adminKey": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": _operation_id(operation),
        "responses": _responses(operation),
        # Without keys at all, the endpoint answers its own machine: then none is needed.
        "security": [{}, {_KEYS[operation.key]: []}] if operation.key else [],
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.body)}
    if operation.path.endswith("}"):
        described["parameters"] = [_path_parameter(operation)]
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    if operation.answer is not None:
        content = _json(operation.answer)
    if operation.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    responses = {
        str(operation.status): {
            "description": operation.summary,
            "content": content,
            "headers": _headers("X-Request-Id"),
        }
    }
    errors = [*operation.errors, 429]
    if operation.key is not None:
        errors += [401, 403]
    for status in sorted(set(errors)):
        responses[str(status)] = _error(status)
    if operation.path == "/readyz":
        responses["503"] = {
            "description": "Not ready: loading, draining or failed.",
            "content": _json(answers.ReadyAnswer),
            "headers": _headers("X-Request-Id", "Retry-After"),
        }
    return responses


def _error(status: int) -> dict[str, Any]:
    names = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
    return {
        "description": HTTPStatus(status).phrase,
        "content": _json(answers.ErrorAnswer),
        "headers": _headers("X-Request-Id", *names.get(status, ())),
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}, "required": True} for name in names}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _path_parameter(operation: Operation) -> dict[str, Any]:
    name = operation.path.rpartition("{")[2].rstrip("}")
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if operation.key == "admin":
        schema["pattern"] = adapters.NAME_PATTERN
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _operation_id(operation: Operation) -> str:
    parts = [part.strip("{}") for part in operation.path.split("/") if part]
    return "_".join([operation.method, *parts])


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    models: set[type[BaseModel]] = {answers.ErrorAnswer}
    for operation in operations:
        models |= {model for model in (operation.body, operation.answer) if model is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=_REF
    )
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas
