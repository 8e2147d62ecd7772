"""Errors in OpenAI's shape, whatever goes wrong, and the classes that its client makes of them."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import openai
import pytest

from remora import errors as remora_errors
from remora.backends.backend import Phase
from remora.gateway.errors import translate
from tests.gateway.conftest import Endpoint, Serve
from tests.gateway.scripted_backend import ScriptedBackend

JSON = {"content-type": "application/json"}


def shape(response: httpx.Response) -> dict[str, Any]:
    """The error, after a look at its shape."""
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("content", "model", "kind", "code"),
    [
        ("long", "base", openai.BadRequestError, "context_length_exceeded"),
        ("hi", "supprt", openai.NotFoundError, "model_not_found"),
        ("full", "base", openai.RateLimitError, "queue_full"),
        ("early", "base", openai.InternalServerError, "engine_failure"),
        ("crash", "base", openai.InternalServerError, "internal_error"),
    ],
)
def test_classes_of_the_openai_client(
    endpoint: Endpoint, content: str, model: str, kind: type[openai.APIStatusError], code: str
) -> None:
    messages: Any = [{"role": "user", "content": content}]
    with pytest.raises(kind) as caught:
        endpoint.openai.chat.completions.create(model=model, messages=messages)
    assert caught.value.code == code
    assert caught.value.request_id
    assert "secret" not in str(caught.value)


def test_unknown_model_gets_near_names(endpoint: Endpoint) -> None:
    error = shape(endpoint.chat("hi", model="supprt"))
    assert "Did you mean 'support'?" in error["message"]
    assert error["param"] == "model"


def test_retry_after(endpoint: Endpoint) -> None:
    response = endpoint.chat("full")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "3"
    assert shape(response)["type"] == "rate_limit_error"


@pytest.mark.parametrize("phase", [Phase.LOADING, Phase.FAILED])
def test_not_ready(serve: Serve, phase: Phase) -> None:
    backend = ScriptedBackend()
    endpoint = serve(backend)
    backend.phase = phase
    response = endpoint.chat("hi")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert shape(response)["code"] == "not_ready"
    backend.phase = Phase.READY


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (
            b'{"model": "base", "messages": [{"role": "user", "content": "\\ud800"}]}',
            "invalid_json",
        ),
        (b"[" * 100_000, "invalid_json"),
        (b"null", "invalid_value"),
        (b"[]", "invalid_value"),
        (b'"text"', "invalid_value"),
        (b'{"model": "base", "messages": [], "temperature": NaN}', "invalid_value"),
        (b'{"model": "base", "messages": [], "temperature": Infinity}', "invalid_value"),
        (b'{"model": "base", "messages": [], "temperature": 1e999}', "invalid_value"),
        (b'{"model": "base", "messages": [], "seed": ' + b"9" * 5000 + b"}", "invalid"),
    ],
    ids=range(12),
)
def test_bodies_that_are_not_requests(endpoint: Endpoint, body: bytes, code: str) -> None:
    response = endpoint.http.post("/v1/chat/completions", content=body, headers=JSON)
    assert response.status_code == 400
    assert shape(response)["code"].startswith(code)


def test_nul_is_a_character_like_any_other(endpoint: Endpoint) -> None:
    assert endpoint.chat("a\0b").json()["choices"][0]["message"]["content"] == "a\0b"
    assert shape(endpoint.chat("hi", model="base\0"))["code"] == "model_not_found"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_read(endpoint: Endpoint, kind: str) -> None:
    response = endpoint.http.post(
        "/v1/chat/completions", content=b"{}", headers={"content-type": kind}
    )
    assert response.status_code == 415
    assert "application/json" in shape(response)["message"]


def test_unknown_routes_and_methods(endpoint: Endpoint) -> None:
    missing = endpoint.http.get("/v1/nothing")
    assert missing.status_code == 404
    assert shape(missing)["code"] == "unknown_route"
    wrong = endpoint.http.get("/v1/chat/completions")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"
    assert shape(wrong)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/chat/completions", "/models", "/models/base"])
def test_a_base_url_without_the_version_is_told(endpoint: Endpoint, path: str) -> None:
    missing = endpoint.http.post(path, json={})
    assert missing.status_code == 404
    assert f"It is /v1{path}" in shape(missing)["message"]


def test_too_many_requests_at_once(serve: Serve) -> None:
    endpoint = serve(max_in_flight=1)
    with endpoint.http.stream(
        "POST",
        "/v1/chat/completions",
        json={"model": "base", "stream": True, "messages": [{"role": "user", "content": "stall"}]},
    ):
        refused = endpoint.chat("hi")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert endpoint.http.get("/readyz").status_code == 200


def every_error() -> list[remora_errors.RemoraError]:
    kinds = [
        kind
        for _, kind in inspect.getmembers(remora_errors, inspect.isclass)
        if issubclass(kind, remora_errors.RemoraError)
    ]
    return [kind("what is wrong") for kind in kinds]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_of_remora_is_translated(error: remora_errors.RemoraError) -> None:
    answer = translate(error, "req-1")
    assert answer.status == error.http_status
    assert "what is wrong" in answer.message
    assert ("Retry-After" in answer.headers) == (answer.status in {429, 503})
