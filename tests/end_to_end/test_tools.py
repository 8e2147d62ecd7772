"""Tool calling by the `openai` package: a random model, real templates, a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import jsonschema_rs
import openai
import pytest

from remora.backends.backend import ChatRequest
from remora.backends.engine_backend import EngineBackend
from remora.engine.request import SamplingParams
from remora.errors import RequestError
from remora.gateway.settings import GatewaySettings
from remora.tools.tools import Tools
from tests.engine.tiny import Tiny, start, tiny
from tests.gateway.conftest import Endpoint

__all__ = ["tiny"]

# Short, but with the marks by which the formats are recognised, and both ways to write arguments.
TEMPLATES = {
    "hermes": """{% for tool in tools or [] %}{{ tool | tojson }}{% endfor %}
{%- for m in messages %}{{ m.role }}:{{ m.content }}
{%- for call in m.tool_calls or [] %}<tool_call>{{ call.function.arguments | tojson }}</tool_call>
{%- endfor %}{% endfor %}""",
    "llama": """{% if tools %}Environment: ipython {{ tools | length }}{% endif %}
{%- for m in messages %}{{ m.role }} {{ m.name }}:{{ m.content }}
{%- for call in m.tool_calls or [] %}<|python_tag|>{{ '{' + call.function.arguments + '}' }}
{%- endfor %}{% endfor %}""",
    "mistral": """{% if tools %}[AVAILABLE_TOOLS]{% endif %}
{%- for m in messages %}{{ m.content }}{% if m.tool_calls %}[TOOL_CALLS]{% endif %}{% endfor %}""",
    "mistral-args": """{% if tools %}[AVAILABLE_TOOLS]{% endif %}
{%- for m in messages %}{{ m.content }}{% if m.tool_calls %}[TOOL_CALLS]f[ARGS]{% endif %}
{%- endfor %}""",
    "qwen-coder": """{% for tool in tools or [] %}{{ tool | tojson }}{% endfor %}
{%- for m in messages %}{{ m.role }}:{{ m.content }}
{%- for call in m.tool_calls or [] %}<tool_call><function={{ call.function.name }}>
{%- for name, value in call.function.arguments | items %}<parameter={{ name }}>{{ value }}
{%- endfor %}</tool_call>{% endfor %}{% endfor %}""",
}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "maximum": 9}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "now", "description": "the time"}},
]
ASK: Any = [{"role": "user", "content": "Weather in Rome?"}]
FEW: Any = {"model": "base", "messages": ASK, "max_tokens": 300, "parallel_tool_calls": False}


def make(model: Tiny, folder: Path, template: str) -> Path:
    """The tiny model with another template, and with Mistral's marker as a special token."""
    shutil.copytree(model.base, folder)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = tokenizer["model"]["vocab"]
    vocab["[TOOL_CALLS]"] = vocab.pop("filler256")
    end = tokenizer["added_tokens"][0]
    tokenizer["added_tokens"].insert(0, {**end, "id": 256, "content": "[TOOL_CALLS]"})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def backends(
    tiny: Callable[..., Tiny], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, EngineBackend]]:
    """A backend for each format."""
    folder = tmp_path_factory.mktemp("tools")
    running = {
        name: start(make(tiny(), folder / name, template), {})
        for name, template in TEMPLATES.items()
    }
    yield running
    for backend in running.values():
        asyncio.run(backend.close())


@pytest.fixture(scope="module")
def clients(backends: dict[str, EngineBackend]) -> Iterator[dict[str, openai.OpenAI]]:
    """A client of a server for each format."""
    settings = GatewaySettings(drain_timeout=0.1)
    endpoints = {name: Endpoint(cast(Any, backend), settings) for name, backend in backends.items()}
    yield {name: endpoint.openai for name, endpoint in endpoints.items()}
    for endpoint in endpoints.values():
        endpoint.stop()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_call_that_is_required_is_made_and_streamed_alike(
    clients: dict[str, openai.OpenAI], name: str
) -> None:
    client = clients[name]
    for temperature, seed in ((0, 1), (1, 2)):
        asked = {**FEW, "tools": TOOLS, "temperature": temperature, "seed": seed}
        whole = client.chat.completions.create(**asked, tool_choice="required").choices[0]
        assert whole.finish_reason == "tool_calls"
        assert whole.message.content is None
        [call] = whole.message.tool_calls
        assert call.function.name in {"weather", "now"}
        if call.function.name == "weather":
            jsonschema_rs.validate(PARAMETERS, json.loads(call.function.arguments))
        else:
            assert json.loads(call.function.arguments) == {}
        pieces: list[Any] = []
        for chunk in client.chat.completions.create(**asked, tool_choice="required", stream=True):
            pieces += chunk.choices[0].delta.tool_calls or []
        assert (pieces[0].id, pieces[0].function.name) != (None, None)
        assert all(piece.id is None and piece.function.name is None for piece in pieces[1:])
        assert pieces[0].function.name == call.function.name
        assert "".join(p.function.arguments for p in pieces) == call.function.arguments


@pytest.mark.parametrize("name", TEMPLATES)
def test_arguments_follow_a_schema_of_parts(clients: dict[str, openai.OpenAI], name: str) -> None:
    schema = {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 3, "maximum": 5},
            "flag": {"type": ["boolean", "null"]},
            "part": {"$ref": "#/$defs/part"},
            "mode": {"enum": ["a", "b"]},
        },
        "required": ["count", "part"],
        "additionalProperties": False,
        "$defs": {
            "part": {
                "type": "object",
                "properties": {"x": {"enum": [1, "one"]}},
                "required": ["x"],
                "additionalProperties": False,
            }
        },
    }
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    for seed in range(3):
        answer = clients[name].chat.completions.create(
            **FEW, tools=tools, tool_choice="required", temperature=1.5, seed=seed
        )
        [call] = answer.choices[0].message.tool_calls
        jsonschema_rs.validate(schema, json.loads(call.function.arguments))


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_named_function_is_called(clients: dict[str, openai.OpenAI], name: str) -> None:
    for function in ("weather", "now"):
        choice: Any = {"type": "function", "function": {"name": function}}
        answer = clients[name].chat.completions.create(**FEW, tools=TOOLS, tool_choice=choice)
        [call] = answer.choices[0].message.tool_calls
        assert call.function.name == function


def test_without_a_call_the_answer_is_text(clients: dict[str, openai.OpenAI]) -> None:
    for choice in ("auto", "none"):
        answer = clients["hermes"].chat.completions.create(
            **{**FEW, "max_tokens": 30}, tools=TOOLS, tool_choice=choice, seed=1
        )
        assert answer.choices[0].message.tool_calls is None
        assert answer.choices[0].message.content


def test_a_form_holds_unless_a_tool_is_called(clients: dict[str, openai.OpenAI]) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [1, 2]}}}
    for name, client in clients.items():
        answer = client.chat.completions.create(
            **FEW, tools=TOOLS, response_format=form, temperature=1.5, seed=3
        ).choices[0]
        if answer.finish_reason == "tool_calls":
            assert answer.message.tool_calls
        else:
            assert json.loads(answer.message.content) in {1, 2}, name


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
        ),
        ({"tools": [TOOLS[1], TOOLS[1]]}, "tools[1].function.name"),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "parameters": {"type": "nonsense"}},
                    }
                ],
                "tool_choice": "required",
            },
            "tools",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ],
    ids=str,
)
def test_wrong_tools_are_named(
    clients: dict[str, openai.OpenAI], body: dict[str, Any], param: str
) -> None:
    url = f"{clients['hermes'].base_url}chat/completions"
    answer = httpx.post(url, json={"model": "base", "messages": ASK, "max_tokens": 3, **body})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


async def test_a_template_without_tools_refuses_them(tiny: Callable[..., Tiny]) -> None:
    backend = start(tiny().base, {})
    request = ChatRequest("base", ASK, SamplingParams(max_tokens=3), tools=Tools(TOOLS))
    with pytest.raises(RequestError, match="knows no tools") as caught:
        await backend.chat(request)
    assert caught.value.param == "tools"
    with pytest.raises(RequestError, match="knows no tools"):
        await backend.tokenize_chat(request)
    await backend.close()


async def test_calls_and_their_results_are_written_as_the_template_wants_them(
    backends: dict[str, EngineBackend],
) -> None:
    call = {"id": "abcdefghi", "type": "function"}
    function = {"name": "weather", "arguments": '{"city": "Rome"}'}
    messages = [
        *ASK,
        {"role": "assistant", "content": "", "tool_calls": [{**call, "function": function}]},
        {"role": "tool", "content": "sunny", "tool_call_id": "abcdefghi"},
    ]

    async def text(name: str) -> str:
        request = ChatRequest("base", messages, tools=Tools(TOOLS))
        tokens = await backends[name].tokenize_chat(request)
        return await backends[name].detokenize("base", tokens.ids)

    hermes, llama = await text("hermes"), await text("llama")
    assert '<tool_call>{"city": "Rome"}</tool_call>' in hermes
    assert '"name": "weather"' in hermes, "the tools themselves"
    assert '<|python_tag|>{{"city": "Rome"}}' in llama, "as text, where the template wants text"
    assert "tool weather:sunny" in llama
    function["arguments"] = "{broken"
    with pytest.raises(RequestError, match="is not JSON") as caught:
        await text("hermes")
    assert caught.value.param == "messages[1].tool_calls[0].function.arguments"
