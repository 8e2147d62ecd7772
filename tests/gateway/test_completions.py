"""`/v1/completions` through the real OpenAI client."""

from __future__ import annotations

from typing import Any

import pytest

from remora.backends.backend import CompletionRequest
from remora.engine.request import SamplingParams
from tests.gateway.conftest import Endpoint


def post(endpoint: Endpoint, **body: Any) -> Any:
    return endpoint.http.post("/v1/completions", json={"model": "base", **body})


def test_whole_answer(endpoint: Endpoint) -> None:
    answer = endpoint.openai.completions.create(model="support", prompt="go on then")
    assert answer.object == "text_completion"
    assert answer.choices[0].text == "go on then"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 6
    assert endpoint.backend.requests == [
        CompletionRequest("support", "go on then", SamplingParams(max_tokens=16))
    ]


@pytest.mark.parametrize(
    ("prompt", "arrived"),
    [
        ("a b", ["a b"]),
        ("", [""]),
        (["a", "b c"], ["a", "b c"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
    ids=["text", "empty", "texts", "ids", "id-lists"],
)
def test_prompt_shapes(endpoint: Endpoint, prompt: Any, arrived: list[Any]) -> None:
    endpoint.openai.completions.create(model="base", prompt=prompt)
    assert [r.prompt for r in endpoint.backend.requests] == arrived  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "prompt",
    [None, [], [[]], 5, ["a", 1], [1, "a"], [[1], "a"], [-1], [2**31], [1.5], {"a": 1}, [True]],
    ids=str,
)
def test_other_prompts_are_refused(endpoint: Endpoint, prompt: Any) -> None:
    response = post(endpoint, prompt=prompt)
    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith("prompt")


@pytest.mark.parametrize("stream", [False, True])
def test_choices_count_through_prompts(endpoint: Endpoint, stream: bool) -> None:
    arguments: Any = {"model": "base", "prompt": ["one two", "three"], "n": 2, "echo": True}
    texts = [""] * 4
    if stream:
        for chunk in endpoint.openai.completions.create(
            **arguments, stream=True, stream_options={"include_usage": True}
        ):
            for choice in chunk.choices:
                texts[choice.index] += choice.text
            usage = chunk.usage
    else:
        answer = endpoint.openai.completions.create(**arguments)
        for choice in answer.choices:
            texts[choice.index] = choice.text
        usage = answer.usage
    assert texts == ["one twoone two"] * 2 + ["threethree"] * 2
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, 6)


def test_echo_of_token_ids_is_their_text(endpoint: Endpoint) -> None:
    answer = endpoint.openai.completions.create(model="base", prompt=[5], echo=True)
    assert answer.choices[0].text == "id5id5"


def test_logprobs_say_where_each_token_begins(endpoint: Endpoint) -> None:
    whole = endpoint.openai.completions.create(model="base", prompt="né ça va", logprobs=2)
    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens == ["né", " ça", " va"]
    assert logprobs.token_logprobs == [-0.5] * 3
    assert logprobs.top_logprobs == [{"t0": -1.0, "t1": -2.0}] * 3
    assert logprobs.text_offset == [0, 2, 5]
    offsets: list[int] = []
    for chunk in endpoint.openai.completions.create(
        model="base", prompt="né ça va", logprobs=2, stream=True
    ):
        assert chunk.choices[0].logprobs is not None
        offsets += chunk.choices[0].logprobs.text_offset or []
    assert offsets == [0, 2, 5]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 21}, "logprobs"),
        ({"echo": True, "logprobs": 1}, "logprobs"),
        ({"prompt": ["x"] * 65}, "prompt"),
        ({"messages": []}, "messages"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_parameters_are_named(endpoint: Endpoint, wrong: dict[str, Any], param: str) -> None:
    response = post(endpoint, **{"prompt": "hi", **wrong})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize("trivial", [{"suffix": ""}, {"suffix": None}, {"best_of": 2, "n": 2}])
def test_trivial_values_are_accepted(endpoint: Endpoint, trivial: dict[str, Any]) -> None:
    assert post(endpoint, prompt="hi", **trivial).status_code == 200


def test_all_prompts_are_admitted_or_none(endpoint: Endpoint) -> None:
    response = post(endpoint, prompt=["stall", "full"])
    assert response.status_code == 429
    assert endpoint.backend.generations[0].cancelled.is_set()
