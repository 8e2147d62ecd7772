"""What a stream is made of, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.conftest import Endpoint, Serve


def events(response: httpx.Response) -> list[str]:
    """The data of each event; fails if anything else is in the stream."""
    *blocks, rest = response.text.split("\n\n")
    assert rest == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [block.removeprefix("data: ") for block in blocks]


def test_framing(endpoint: Endpoint) -> None:
    response = endpoint.chat('a "quoted"\u2028 \u00e9', stream=True)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    *chunks, done = events(response)
    assert done == "[DONE]"
    decoded = [json.loads(chunk) for chunk in chunks]
    assert {c["object"] for c in decoded} == {"chat.completion.chunk"}
    assert decoded[0]["choices"][0]["delta"] == {"role": "assistant", "content": "a"}
    assert decoded[-1]["choices"][0]["delta"] == {}
    assert "usage" not in decoded[0]


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("break", "engine_failure", "broke while it answered"),
        ("errored", "engine_failure", "broke while it answered"),
        ("crash", "internal_error", "unexpectedly"),
    ],
)
def test_an_error_in_mid_stream_is_its_last_event(
    endpoint: Endpoint, script: str, code: str, message: str
) -> None:
    response = endpoint.chat(script, stream=True)
    assert response.status_code == 200
    *spoken, last = events(response)
    assert len(spoken) == 2
    error = json.loads(last)["error"]
    assert error["code"] == code
    assert message in error["message"]
    assert "secret" not in response.text


def test_the_openai_client_raises_an_error_in_mid_stream(endpoint: Endpoint) -> None:
    messages: Any = [{"role": "user", "content": "break"}]
    stream = endpoint.openai.chat.completions.create(model="base", messages=messages, stream=True)
    with pytest.raises(openai.APIError, match="broke while it answered"):
        list(stream)


def test_an_error_before_the_first_token_keeps_its_status(endpoint: Endpoint) -> None:
    response = endpoint.chat("early", stream=True)
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "engine_failure"


def test_a_long_wait_for_the_first_token_is_filled_with_comments(serve: Serve) -> None:
    endpoint = serve(ping_interval=0.01, request_timeout=0.2)
    response = endpoint.chat("mute", stream=True)
    assert response.status_code == 200
    assert response.text.startswith(": waiting\n\n")
    assert json.loads(response.text.rpartition("data: ")[2])["error"]["code"] == "timeout"


@pytest.mark.parametrize("stream", [False, True])
def test_request_timeout(serve: Serve, stream: bool) -> None:
    endpoint = serve(request_timeout=0.05)
    response = endpoint.chat("mute", stream=stream)
    assert response.status_code == 504
    assert endpoint.backend.generations[0].cancelled.is_set()


def test_long_streams_arrive_whole(endpoint: Endpoint) -> None:
    assert len(events(endpoint.chat("burst", stream=True, max_tokens=4000))) == 4002
