"""`/tokenize` and `/detokenize`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.conftest import Endpoint, Serve
from tests.gateway.scripted_backend import ScriptedBackend


def tokenize(endpoint: Endpoint, **body: Any) -> Any:
    return endpoint.http.post("/tokenize", json={"model": "base", **body})


def test_text(endpoint: Endpoint) -> None:
    assert tokenize(endpoint, prompt="a bc").json() == {
        "count": 3,
        "max_model_len": 4096,
        "tokens": [3, 1, 2],
        "token_strs": ["<s>", "a", "bc"],
    }
    plain = tokenize(endpoint, prompt="a bc", add_special_tokens=False, return_token_strs=True)
    assert plain.json()["token_strs"] == ["a", "bc"]


def test_chat(endpoint: Endpoint) -> None:
    messages = [{"role": "user", "content": "hi"}]
    assert tokenize(endpoint, messages=messages).json()["token_strs"] == ["<user>hi", "<assistant>"]
    bare = tokenize(endpoint, messages=messages, add_generation_prompt=False)
    assert bare.json()["count"] == 1


def test_chat_with_tools(serve: Serve) -> None:
    backend = ScriptedBackend()
    endpoint = serve(backend)
    messages = [{"role": "user", "content": "hi"}]
    tools = [{"type": "function", "function": {"name": "now"}}]
    tokenize(endpoint, messages=messages, tools=tools)
    tokenize(endpoint, messages=messages, tools=tools, tool_choice="none")
    shown, hidden = backend.tokenized
    assert shown.tools is not None
    assert shown.tools.names == {"now"}
    assert hidden.tools is None
    refused = tokenize(endpoint, prompt="hi", tools=tools)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools")


def test_detokenize(endpoint: Endpoint) -> None:
    response = endpoint.http.post("/detokenize", json={"model": "support", "tokens": [5, 6]})
    assert response.json() == {"prompt": "id5 id6"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, "prompt"),
        (
            {"messages": [{"role": "user", "content": "a"}], "add_special_tokens": True},
            "add_special_tokens",
        ),
        ({"prompt": 5}, "prompt"),
        ({"promt": "a"}, "promt"),
    ],
)
def test_wrong_parameters_are_named(endpoint: Endpoint, body: dict[str, Any], param: str) -> None:
    response = tokenize(endpoint, **body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_unknown_model(endpoint: Endpoint) -> None:
    assert tokenize(endpoint, prompt="a", model="nobody").status_code == 404
