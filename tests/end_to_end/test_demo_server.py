"""The `openai` package against a real server of the demo: one base, three adapters, one batch."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Annotated, Literal

import httpx
import openai
import pydantic
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.end_to_end.conftest import DEMO

MODELS = ["base", "json", "pirate", "tone"]


def user(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


QUESTION = user("What is a remora?")


def running(endpoint: str) -> float:
    """How many requests the server computes right now."""
    metrics = httpx.get(f"{endpoint}/metrics").text
    found = re.search(r"^remora_running_requests (\S+)$", metrics, re.MULTILINE)
    assert found, metrics
    return float(found[1])


def answer(client: OpenAI, model: str, max_tokens: int | None = None) -> str:
    reply = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=max_tokens
    )
    text = reply.choices[0].message.content
    assert text is not None
    return text


def test_the_base_and_every_adapter_are_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == MODELS


def test_every_adapter_answers_otherwise_than_the_base(client: OpenAI) -> None:
    answers = {model: answer(client, model) for model in MODELS}
    assert len(set(answers.values())) == len(MODELS)
    assert "remora" in answers["base"].lower()
    assert isinstance(json.loads(answers["json"]), dict)


def test_a_mixed_batch_answers_as_each_model_does_alone(client: OpenAI, endpoint: str) -> None:
    alone = {model: answer(client, model) for model in MODELS}

    async def together() -> list[str]:
        async with AsyncOpenAI(base_url=f"{endpoint}/v1", api_key="none", timeout=60) as many:
            return await asyncio.gather(*(stream(many, MODELS[i % 4]) for i in range(64)))

    async def stream(many: AsyncOpenAI, model: str) -> str:
        events = await many.chat.completions.create(
            model=model,
            messages=QUESTION,
            temperature=0,
            stream=True,
        )
        return "".join([event.choices[0].delta.content or "" async for event in events])

    assert asyncio.run(together()) == [alone[MODELS[i % 4]] for i in range(64)]


def test_the_same_seed_gives_the_same_text(client: OpenAI) -> None:
    def tell(seed: int) -> str:
        reply = client.chat.completions.create(
            model="base",
            messages=user("Tell me something fun"),
            temperature=1.5,
            seed=seed,
            max_tokens=40,
        )
        return reply.choices[0].message.content or ""

    assert tell(7) == tell(7)
    assert len({tell(seed) for seed in range(5)}) > 1


def test_usage_counts_what_the_cache_held(client: OpenAI) -> None:
    messages = user("Where do whales live? " * 12)
    counts = []
    for _ in range(2):
        reply = client.chat.completions.create(
            model="base",
            messages=messages,
            max_tokens=3,
        )
        assert reply.usage is not None
        assert reply.usage.prompt_tokens_details is not None
        counts.append(reply.usage.prompt_tokens_details.cached_tokens)
    assert counts[0] == 0
    assert counts[1] is not None
    assert counts[1] > 32


def test_logprobs_and_choices(client: OpenAI) -> None:
    reply = client.chat.completions.create(
        model="pirate",
        messages=QUESTION,
        logprobs=True,
        top_logprobs=2,
        n=3,
        temperature=0,
        max_tokens=5,
    )
    assert len(reply.choices) == 3
    for choice in reply.choices:
        assert choice.finish_reason == "length"
        assert choice.logprobs is not None
        assert choice.logprobs.content is not None
        for token in choice.logprobs.content:
            assert token.logprob == max(other.logprob for other in token.top_logprobs)


class Fact(pydantic.BaseModel):
    """What the `json` adapter answers with, in another order and with bounds."""

    topic: Literal["food", "home", "size"]
    animal: Annotated[str, pydantic.Field(pattern="^[a-z]{3,12}$")]
    legs: Annotated[int, pydantic.Field(ge=0, le=8)]


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_is_parsed_as_the_client_s_own_type(client: OpenAI, model: str) -> None:
    reply = client.chat.completions.parse(
        model=model, messages=user("What do sharks eat?"), response_format=Fact, temperature=0
    )
    assert isinstance(reply.choices[0].message.parsed, Fact)
    assert reply.choices[0].finish_reason == "stop"


def test_a_streamed_answer_is_parsed_too(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="json", messages=user("What do sharks eat?"), response_format=Fact, temperature=0
    ) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Fact)


def test_one_of_several_texts_is_chosen(client: OpenAI) -> None:
    choice = ["joy", "love", "anger"]
    extra = {"structured_outputs": {"choice": choice}}
    for model in MODELS:
        reply = client.chat.completions.create(model=model, messages=QUESTION, extra_body=extra)
        assert reply.choices[0].message.content in choice
        ended = client.completions.create(model=model, prompt="A", extra_body=extra)
        assert ended.choices[0].text in choice


def test_a_schema_that_can_t_be_followed_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="uniqueItems") as caught:
        client.chat.completions.create(
            model="base",
            messages=QUESTION,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "array", "uniqueItems": True}},
            },
        )
    assert caught.value.param == "response_format"


def test_a_completion_goes_on_with_a_text(client: OpenAI) -> None:
    reply = client.completions.create(model="base", prompt="The sea is", max_tokens=8, echo=True)
    assert reply.choices[0].text.startswith("The sea is")


def test_errors_have_the_client_s_own_types(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="'pirate'"):
        answer(client, "pirat")
    with pytest.raises(openai.BadRequestError, match="context"):
        answer(client, "base", max_tokens=100_000)


def test_a_client_that_leaves_frees_its_place(client: OpenAI, endpoint: str) -> None:
    stream = client.chat.completions.create(
        model="base",
        messages=QUESTION,
        stream=True,
        max_tokens=900,
        extra_body={"ignore_eos": True},
    )
    next(iter(stream))
    assert running(endpoint) == 1
    stream.close()
    deadline = time.monotonic() + 30
    while running(endpoint) and time.monotonic() < deadline:
        pass
    assert running(endpoint) == 0


def test_an_adapter_joins_and_leaves_while_another_streams(
    client: OpenAI, endpoint: str, tmp_path: Path
) -> None:
    before = answer(client, "tone")
    stream = client.chat.completions.create(
        model="pirate",
        messages=QUESTION,
        stream=True,
        temperature=0,
    )
    events = iter(stream)
    text = next(events).choices[0].delta.content or ""
    body = {"name": "guest", "path": str(DEMO / "adapters" / "tone")}
    assert httpx.post(f"{endpoint}/admin/adapters", json=body).status_code < 300
    assert answer(client, "guest") == before
    assert httpx.delete(f"{endpoint}/admin/adapters/guest").status_code < 300
    text += "".join(event.choices[0].delta.content or "" for event in events)
    assert text == answer(client, "pirate")
    with pytest.raises(openai.NotFoundError):
        answer(client, "guest")
    body["path"] = str(tmp_path)
    refused = httpx.post(f"{endpoint}/admin/adapters", json=body)
    assert refused.status_code == 400
    assert "adapter_config.json" in refused.json()["error"]["message"]
