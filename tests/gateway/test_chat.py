"""`/v1/chat/completions` through the real OpenAI client."""

from __future__ import annotations

from typing import Any

import pytest

from remora.backends.backend import ChatRequest
from remora.engine.request import SamplingParams
from remora.grammar.expression import (
    Constraint,
    Expression,
    Json,
    Lark,
    Literal,
    OneOf,
    Regex,
)
from tests.gateway.conftest import Endpoint, Serve
from tests.gateway.scripted_backend import ScriptedBackend

HELLO: Any = [{"role": "user", "content": "hello dear world"}]


def asked(endpoint: Endpoint) -> ChatRequest:
    request = endpoint.backend.requests[-1]
    assert isinstance(request, ChatRequest)
    return request


def test_whole_answer(endpoint: Endpoint) -> None:
    answer = endpoint.openai.chat.completions.create(model="support", messages=HELLO)
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", "hello dear world")
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None
    assert answer.object == "chat.completion"
    assert answer.model == "support"
    assert answer.system_fingerprint == "fp-digest-support"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3
    assert answer.usage.completion_tokens == 3
    assert answer.usage.total_tokens == 6
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 1


def test_stream_adds_up_to_the_whole_answer(endpoint: Endpoint) -> None:
    chunks = list(
        endpoint.openai.chat.completions.create(
            model="support",
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    *spoken, counted = chunks
    assert "".join(c.choices[0].delta.content or "" for c in spoken) == "hello dear world"
    assert spoken[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in spoken] == [None, None, None, "stop"]
    assert {c.usage for c in spoken} == {None}
    assert counted.choices == []
    assert counted.usage is not None
    assert counted.usage.total_tokens == 6
    assert len({c.id for c in chunks}) == 1
    assert {c.system_fingerprint for c in chunks} == {"fp-digest-support"}


def test_defaults_change_nothing(endpoint: Endpoint) -> None:
    endpoint.openai.chat.completions.create(model="base", messages=HELLO)
    assert asked(endpoint) == ChatRequest("base", HELLO, SamplingParams())


def test_the_model_s_defaults_hold_where_a_request_says_nothing(serve: Serve) -> None:
    backend = ScriptedBackend()
    backend.sampling = SamplingParams(temperature=0.6, top_p=0.9, top_k=20)
    endpoint = serve(backend)
    endpoint.openai.chat.completions.create(model="base", messages=HELLO, top_p=1)
    assert asked(endpoint).sampling == SamplingParams(temperature=0.6, top_k=20)
    endpoint.openai.completions.create(
        model="base", prompt="a", temperature=0, extra_body={"top_k": -1}
    )
    assert backend.requests[-1].sampling == SamplingParams(temperature=0, top_p=0.9, max_tokens=16)


def test_every_sampling_parameter_arrives(endpoint: Endpoint) -> None:
    endpoint.openai.chat.completions.create(
        model="base",
        messages=HELLO,
        temperature=0.5,
        top_p=0.9,
        presence_penalty=-1.5,
        frequency_penalty=1.25,
        seed=-7,
        logit_bias={"17": -100, "5": 2},
        stop=["END", "\n\n"],
        max_tokens=33,
        n=2,
        logprobs=True,
        top_logprobs=4,
        extra_body={
            "top_k": 40,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
            "min_tokens": 3,
            "ignore_eos": True,
            "stop_token_ids": [2, 9],
        },
    )
    request = asked(endpoint)
    assert request.n == 2
    assert request.sampling == SamplingParams(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        min_p=0.05,
        repetition_penalty=1.1,
        presence_penalty=-1.5,
        frequency_penalty=1.25,
        seed=-7,
        logit_bias={17: -100, 5: 2},
        stop=("END", "\n\n"),
        stop_token_ids=(2, 9),
        max_tokens=33,
        min_tokens=3,
        ignore_eos=True,
        logprobs=4,
    )


@pytest.mark.parametrize(
    ("body", "expression"),
    [
        ({"response_format": {"type": "json_object"}}, Json('{"type": "object"}')),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "pair",
                        "strict": True,
                        "schema": {"type": "object", "properties": {"b": {}, "a": True}},
                    },
                }
            },
            Json('{"type": "object", "properties": {"b": {}, "a": true}}'),
        ),
        ({"structured_outputs": {"json": {"enum": [1]}}}, Json('{"enum": [1]}')),
        ({"structured_outputs": {"json": "true"}}, Json("true")),
        ({"structured_outputs": {"json_object": True}}, Json('{"type": "object"}')),
        ({"structured_outputs": {"regex": "a+"}}, Regex("a+")),
        ({"structured_outputs": {"choice": ["a", "b"]}}, OneOf((Literal("a"), Literal("b")))),
        ({"structured_outputs": {"grammar": 'start: "a"'}}, Lark('start: "a"')),
    ],
    ids=str,
)
def test_what_bounds_the_answer_arrives(
    endpoint: Endpoint, body: dict[str, Any], expression: Expression
) -> None:
    assert endpoint.chat("hi", **body).status_code == 200
    [param] = body
    assert asked(endpoint).constraint == Constraint(expression, param)
    completion = {"model": "base", "prompt": "hi", **body}
    assert endpoint.http.post("/v1/completions", json=completion).status_code == 200
    assert endpoint.backend.requests[-1].constraint == Constraint(expression, param)


def test_max_completion_tokens_is_the_newer_name(endpoint: Endpoint) -> None:
    answer = endpoint.openai.chat.completions.create(
        model="base", messages=HELLO, max_completion_tokens=2, max_tokens=9, stop="."
    )
    assert asked(endpoint).sampling.max_tokens == 2
    assert asked(endpoint).sampling.stop == (".",)
    assert answer.choices[0].finish_reason == "length"


def test_template_arguments_arrive(endpoint: Endpoint) -> None:
    messages: Any = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "name": "kim", "content": [{"type": "text", "text": "a "}] * 2},
        {"role": "assistant", "content": "well", "refusal": None, "tool_calls": None},
    ]
    endpoint.openai.chat.completions.create(
        model="base",
        messages=messages,
        extra_body={
            "continue_final_message": True,
            "chat_template_kwargs": {"enable_thinking": False, "depth": {"of": [1, None]}},
        },
    )
    request = asked(endpoint)
    assert request.messages == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "name": "kim", "content": "a a "},
        {"role": "assistant", "content": "well"},
    ]
    assert request.continue_final_message
    assert not request.add_generation_prompt
    assert request.template_variables == {"enable_thinking": False, "depth": {"of": [1, None]}}


def test_generation_prompt_can_be_left_out(endpoint: Endpoint) -> None:
    endpoint.chat("hi", add_generation_prompt=False)
    assert not asked(endpoint).add_generation_prompt


def test_several_choices(endpoint: Endpoint) -> None:
    answer = endpoint.openai.chat.completions.create(model="base", messages=HELLO, n=3)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert {c.message.content for c in answer.choices} == {"hello dear world"}
    texts = ["", "", ""]
    roles = []
    for chunk in endpoint.openai.chat.completions.create(
        model="base", messages=HELLO, n=3, stream=True
    ):
        choice = chunk.choices[0]
        texts[choice.index] += choice.delta.content or ""
        roles += [choice.index] if choice.delta.role else []
    assert texts == ["hello dear world"] * 3
    assert sorted(roles) == [0, 1, 2]


@pytest.mark.parametrize("top", [0, 2])
def test_logprobs(endpoint: Endpoint, top: int) -> None:
    arguments: Any = {"model": "base", "messages": HELLO, "logprobs": True, "top_logprobs": top}
    whole = endpoint.openai.chat.completions.create(**arguments)
    assert whole.choices[0].logprobs is not None
    content = whole.choices[0].logprobs.content
    assert content is not None
    assert [entry.token for entry in content] == ["hello", " dear", " world"]
    assert content[1].bytes == list(b" dear")
    assert content[1].logprob == -0.5
    assert [(t.token, t.logprob) for t in content[1].top_logprobs] == [
        (f"t{i}", -1.0 - i) for i in range(top)
    ]
    streamed: list[Any] = []
    for chunk in endpoint.openai.chat.completions.create(**arguments, stream=True):
        assert chunk.choices[0].logprobs is not None
        streamed += chunk.choices[0].logprobs.content or []
    assert streamed == content


@pytest.mark.parametrize(
    "harmless",
    [
        {"user": "kim"},
        {"store": True, "metadata": {"a": "b"}},
        {"service_tier": "auto", "parallel_tool_calls": True},
        {"safety_identifier": "x", "prompt_cache_key": "y"},
        {"response_format": {"type": "text"}, "modalities": ["text"]},
        {"tools": [], "tool_choice": "none", "functions": None},
        {"temperature": None, "stop": None, "seed": None, "n": None, "top_k": -1},
        {"skip_special_tokens": True, "use_beam_search": False, "length_penalty": 1.0},
    ],
    ids=str,
)
def test_parameters_that_ask_for_nothing_are_accepted(
    endpoint: Endpoint, harmless: dict[str, Any]
) -> None:
    assert endpoint.chat("hi", **harmless).status_code == 200
    assert asked(endpoint).sampling == SamplingParams()


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "jason"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_object", "strict": True}},
            "response_format.strict",
        ),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs.choice"),
        ({"structured_outputs": {"structural_tag": "x"}}, "structured_outputs.structural_tag"),
        (
            {
                "response_format": {"type": "json_object"},
                "structured_outputs": {"regex": "a"},
            },
            "structured_outputs",
        ),
        ({"guided_regex": "a"}, "guided_regex"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"use_beam_search": True}, "use_beam_search"),
        ({"temprature": 1}, "temprature"),
        (
            {"stream": True, "stream_options": {"include_usages": True}},
            "stream_options.include_usages",
        ),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": 3}, "logprobs"),
        ({"n": 17}, "n"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_tokens": 4, "min_tokens": 5}, "min_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_k": -2}, "top_k"),
        ({"min_p": 1.1}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"seed": 2**63}, "seed"),
        ({"logit_bias": {"x": 1}}, "logit_bias.x"),
        ({"logit_bias": {"5": 101}}, "logit_bias.5"),
        ({"stop": ""}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop_token_ids": [-1]}, "stop_token_ids[0]"),
        ({"ignore_eos": 1}, "ignore_eos"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": "x", "tool_call_id": "y"}]},
            "messages[0].tool_call_id",
        ),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [1]}]},
            "messages[0].tool_calls[0]",
        ),
        ({"continue_final_message": True}, "continue_final_message"),
        (
            {"continue_final_message": True, "add_generation_prompt": True},
            "continue_final_message",
        ),
        ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs.messages"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_parameters_are_named(endpoint: Endpoint, wrong: dict[str, Any], param: str) -> None:
    response = (
        endpoint.chat("hi", **wrong)
        if "messages" not in wrong
        else endpoint.http.post("/v1/chat/completions", json={"model": "base", **wrong})
    )
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert param.rpartition(".")[2] in error["message"]
    assert endpoint.backend.requests == []


def test_a_misspelt_parameter_gets_the_nearest_name(endpoint: Endpoint) -> None:
    assert "'temperature'" in endpoint.chat("hi", temprature=1).json()["error"]["message"]


def test_missing_parameter(endpoint: Endpoint) -> None:
    error = endpoint.http.post("/v1/chat/completions", json={"model": "base"}).json()["error"]
    assert (error["param"], error["code"]) == ("messages", "missing_required_parameter")


def test_prompt_chars_are_bounded(serve: Any) -> None:
    endpoint = serve(max_prompt_chars=10)
    assert endpoint.chat("x" * 10).status_code == 200
    error = endpoint.chat("x" * 11).json()["error"]
    assert error["code"] == "context_length_exceeded"
