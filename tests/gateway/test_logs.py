"""Log lines: one for each request, as JSON, without what was said and without keys."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from remora.gateway.logs import LOGGERS, log_as_json
from tests.gateway.conftest import Serve


@pytest.fixture
def lines() -> Iterator[Any]:
    stream = io.StringIO()
    before = [(logging.getLogger(name), logging.getLogger(name).handlers) for name in LOGGERS]
    log_as_json(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for logger, handlers in before:
        logger.handlers = handlers
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def test_a_line_for_each_request(serve: Serve, lines: Any) -> None:
    endpoint = serve(api_keys=("topsecret",))
    key = {"Authorization": "Bearer topsecret", "X-Request-Id": "mine-1"}
    endpoint.http.headers.update(key)
    assert endpoint.chat("private words", stream=True).headers["x-request-id"] == "mine-1"
    endpoint.http.get("/v1/models?api_key=topsecret", headers={"X-Request-Id": "bad\tid"})
    endpoint.stop()
    chat, models = lines()  # and none for the probes
    assert chat["id"] == "mine-1"
    assert (chat["method"], chat["path"]) == ("POST", "/v1/chat/completions")
    assert (chat["status"], chat["model"], chat["stream"]) == (200, "base", True)
    assert (chat["prompt_tokens"], chat["completion_tokens"]) == (2, 2)
    assert 0 < chat["ttft"] <= chat["duration"]
    assert models["id"].startswith("req-")
    text = json.dumps(lines())
    assert "private" not in text
    assert "topsecret" not in text


def test_the_unexpected_is_logged_with_its_traceback(serve: Serve, lines: Any) -> None:
    endpoint = serve()
    response = endpoint.chat("crash")
    endpoint.stop()
    [failure] = [line for line in lines() if line["level"] == "error"]
    assert lines()[-1]["error"] == "internal_error"
    assert failure["id"] == response.headers["x-request-id"]
    assert failure["id"] in response.json()["error"]["message"]
    assert "ZeroDivisionError: a secret of the inside" in failure["traceback"]
