"""Answers held to a grammar: the real engine over tiny random models, whatever they want to say."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from remora.backends.backend import CompletionRequest
from remora.backends.engine_backend import EngineBackend
from remora.engine.engine import EngineRequest
from remora.engine.grammar import Matcher
from remora.engine.request import FinishReason, SamplingParams
from remora.errors import EngineFailure, RequestError
from remora.grammar.expression import (
    Chain,
    Constraint,
    Embedded,
    Expression,
    Json,
    Lark,
    Literal,
    OneOf,
    Regex,
    Repeat,
    Special,
)
from tests.engine.tiny import (
    ADAPTERS,
    EOS,
    Answer,
    Tiny,
    ask,
    collect,
    greedy,
    prompt,
    serving,
    until_idle,
)

Tinies = Callable[..., Tiny]
Serve = Callable[..., EngineBackend]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


async def held(
    backend: EngineBackend,
    expression: Expression,
    params: SamplingParams | None = None,
    model: str = "base",
    ids: list[int] | None = None,
    n: int = 1,
) -> list[Answer]:
    """The answers to a constrained request."""
    request = CompletionRequest(
        model,
        prompt(7) if ids is None else ids,
        params or SamplingParams(seed=1, max_tokens=600),
        n,
        Constraint(expression, "response_format"),
    )
    return await collect(await backend.complete(request), n)


def scalars() -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of values that can't go on for ever, as a random model's strings would."""
    return st.one_of(
        st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": {"a": [1, "é\n"]}}]),
        st.builds(
            lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size},
            st.integers(-2000, 2000),
            st.integers(0, 500),
        ),
        st.builds(
            lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
            st.integers(0, 3),
            st.integers(0, 5),
        ),
        st.sampled_from(
            [
                {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
                {"type": "string", "format": "date"},
                {"type": "string", "format": "uuid"},
                {"enum": ["red", 'a "quoted" one', 3, None]},
            ]
        ),
    )


def composed(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=5)

    def an_object(properties: dict[str, Any], optional: int) -> dict[str, Any]:
        required = list(properties)[optional:]
        kind = {"type": "object", "additionalProperties": False}
        return {**kind, "properties": properties, "required": required}

    return st.one_of(
        st.builds(an_object, st.dictionaries(names, inner, max_size=3), st.integers(0, 2)),
        st.builds(
            lambda items, least: {
                "type": "array",
                "items": items,
                "minItems": least,
                "maxItems": least + 2,
            },
            inner,
            st.integers(0, 2),
        ),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
    )


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    schema=st.recursive(scalars(), composed, max_leaves=4),
    params=st.fixed_dictionaries(
        {
            "temperature": st.sampled_from([0, 0.7, 1.5]),
            "top_p": st.sampled_from([0.3, 1.0]),
            "top_k": st.sampled_from([0, 1, 5]),
            "min_p": st.sampled_from([0, 0.5]),
            "repetition_penalty": st.sampled_from([1.0, 1.3]),
            "seed": st.integers(0, 99),
        }
    ),
    model=st.sampled_from(["base", *ADAPTERS]),
)
def test_the_answer_follows_the_schema_whatever_the_weights(
    schema: dict[str, Any], params: dict[str, Any], model: str, serve: Serve
) -> None:
    backend = serve("qwen2")
    wanted = SamplingParams(max_tokens=900, **params)
    [answer] = asyncio.run(held(backend, Json(json.dumps(schema)), wanted, model))
    assert answer.finish_reason is FinishReason.STOP, answer
    value = json.loads(answer.text)
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(value)


@pytest.mark.parametrize(
    ("expression", "pattern"),
    [
        (Regex(r"[A-Z]{3}-\d{4}(/\w)?"), r"[A-Z]{3}-\d{4}(/\w)?"),
        (OneOf((Literal("yes"), Literal('n"o\n'), Literal("naïve"))), 'yes|n"o\n|naïve'),
        (Lark('start: "a" x "c"\nx: /b{2,4}/'), "ab{2,4}c"),
        (Chain((Literal("<"), Repeat(Regex("[ab]{2}"), ", "), Literal(">"))), "<[ab, ]{2,}>"),
        (Chain((Special("[NO SUCH TOKEN]"), Literal("!"))), r"\[NO SUCH TOKEN\]!"),
    ],
)
@pytest.mark.parametrize("temperature", [0, 1])
async def test_every_kind_of_expression_is_followed(
    serve: Serve, expression: Expression, pattern: str, temperature: float
) -> None:
    params = SamplingParams(temperature=temperature, max_tokens=200, seed=3)
    [answer] = await held(serve(), expression, params)
    if answer.finish_reason is FinishReason.STOP:
        assert re.fullmatch(pattern, answer.text)
    else:
        assert isinstance(expression, Chain), "only a repetition may go on for ever"


async def test_free_text_is_free_until_the_trigger(serve: Serve) -> None:
    backend = serve()
    expression = Embedded(Literal("<"), Regex("[0-9]{2}>"))
    [trigger] = (await backend.tokenize("base", "<", add_special_tokens=False)).ids
    bias = {trigger: 8.0, EOS: -100.0}
    params = SamplingParams(max_tokens=200, seed=5, logit_bias=bias)
    [answer] = await held(backend, expression, params)
    assert answer.text.count("<") > 3
    assert re.fullmatch(r"([^<]|<\d\d>)*(<\d{0,2})?", answer.text)
    assert re.search("[^<>0-9]", answer.text)


async def test_other_rows_of_the_batch_say_what_they_would_say_alone(
    serve: Serve, tiny: Tinies
) -> None:
    backend, model = serve(), tiny()
    asked = [("base", prompt(9, 1)), ("all", prompt(30, 2)), ("attention", prompt(3, 3))]
    free = [ask(backend, name, ids, greedy(60)) for name, ids in asked]
    bound = [held(backend, Json(json.dumps(PERSON)), model=name) for name, _ in asked]
    as_alone, as_held = await asyncio.gather(asyncio.gather(*free), asyncio.gather(*bound))
    for (name, ids), answer in zip(asked, as_alone, strict=True):
        model.expect(name, ids, answer.tokens)
    for [answer] in as_held:
        jsonschema_rs.validate(PERSON, json.loads(answer.text))
    await until_idle(backend)


async def test_choices_have_their_own_place_in_the_grammar_and_their_own_seed(
    serve: Serve,
) -> None:
    backend = serve()
    expression = Json(json.dumps(PERSON))
    several = await held(backend, expression, SamplingParams(seed=4, max_tokens=600), n=4)
    alone = [
        (await held(backend, expression, SamplingParams(seed=4 + i, max_tokens=600)))[0]
        for i in range(4)
    ]
    assert [answer.tokens for answer in several] == [answer.tokens for answer in alone]
    assert len({answer.text for answer in several}) > 1


@pytest.mark.parametrize("ignore_eos", [False, True])
async def test_the_end_comes_when_the_grammar_allows_it(serve: Serve, *, ignore_eos: bool) -> None:
    backend = serve()

    async def length(pattern: str, **params: Any) -> int:
        wanted = SamplingParams(
            temperature=0, max_tokens=80, ignore_eos=ignore_eos, logit_bias={EOS: 100}, **params
        )
        [answer] = await held(backend, Regex(pattern), wanted)
        assert re.fullmatch(pattern, answer.text)
        assert answer.finish_reason is FinishReason.STOP
        return len(answer.text)

    assert await length("a{3,}") == 3
    assert await length("a{12}") == 12
    assert await length("yes", min_tokens=40) == 3, "the grammar wins"
    if not ignore_eos:
        assert await length("a{3,}", min_tokens=10) == 10


async def test_an_answer_is_cut_off_at_its_limit_and_at_a_stop_string(serve: Serve) -> None:
    backend = serve()
    [cut] = await held(backend, Regex("(ab){9}"), SamplingParams(max_tokens=5))
    assert (cut.text, cut.finish_reason) == ("ababa", FinishReason.LENGTH)
    [stopped] = await held(backend, Regex("a{3}b{9}"), SamplingParams(max_tokens=50, stop=("bb",)))
    assert (stopped.text, stopped.finish_reason) == ("aaa", FinishReason.STOP)
    [whole] = await held(backend, Regex("a{3}b"), SamplingParams(max_tokens=50, stop=("bb",)))
    assert whole.text == "aaab", "what may have begun a stop string is not lost"


async def test_logprobs_are_the_model_s_own(serve: Serve, tiny: Tinies) -> None:
    ids = prompt(12)
    params = SamplingParams(max_tokens=600, seed=2, logprobs=3)
    [answer] = await held(serve(), Json(json.dumps(PERSON)), params, ids=ids)
    wanted = tiny().oracle.scores(None, ids, answer.tokens).log_softmax(-1)
    for row, token in zip(wanted, answer.logprobs, strict=True):
        assert token.logprob == pytest.approx(float(row[token.token_id]), abs=1e-3)
        best = [other.logprob for other in token.top]
        assert best == pytest.approx(row.topk(3).values.tolist(), abs=1e-3)


async def test_a_sequence_that_is_put_back_keeps_its_place_in_the_grammar(
    serve: Serve, tiny: Tinies
) -> None:
    expression = Regex("([a-z]{9}-){20}!")

    async def text(backend: EngineBackend, seed: int) -> str:
        params = SamplingParams(seed=seed, max_tokens=250)
        return (await held(backend, expression, params, ids=prompt(110)))[0].text

    alone = [await text(serve(), 0), await text(serve(), 1)]
    assert all(re.fullmatch(expression.pattern, one) for one in alone)
    async with serving(tiny().base, {}, kv_cache_tokens=512) as small:
        assert list(await asyncio.gather(text(small, 0), text(small, 1))) == alone
        assert small.load().preemptions > 0
        await until_idle(small)


class Stuck:
    """A grammar that reaches a limit after three tokens."""

    def __init__(self) -> None:
        self._accepted = 0

    def matcher(self) -> Matcher:
        return Stuck()

    def allowed(self) -> NDArray[np.bool_]:
        return np.full(EOS + 1, self._accepted < 2)

    def accept(self, token: int) -> None:
        self._accepted += 1

    is_finished = False

    @property
    def failure(self) -> str | None:
        return "too many items" if self._accepted == 3 else None


@pytest.mark.parametrize("temperature", [0, 1])
async def test_a_grammar_that_can_t_go_on_ends_its_own_row_alone(
    serve: Serve, tiny: Tinies, temperature: float, caplog: pytest.LogCaptureFixture
) -> None:
    backend = serve()
    assert backend._loaded is not None
    request = EngineRequest(
        owner=None,
        tokens=prompt(5),
        params=SamplingParams(temperature=temperature, max_tokens=20),
        max_length=40,
        endings=(EOS,),
        tokenizer=backend._loaded.tokenizer,
        grammar=Stuck(),
    )
    stuck = backend._loaded.engine.submit(request)
    answer = asyncio.ensure_future(ask(backend, "base", prompt(5), greedy(20)))
    with pytest.raises(EngineFailure):
        async for _ in stuck.deltas():
            pass
    tiny().expect("base", prompt(5), (await answer).tokens)
    assert "too many items" in caplog.text
    await until_idle(backend)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (Json('{"type": "objct"}'), "objct"),
        (Json('{"type": "array", "uniqueItems": true}'), "uniqueItems"),
        (Json('{"$ref": "https://example.org/schema.json"}'), "example.org"),
        (Json('{"type": "string", "pattern": "(?=a)"}'), "look-around"),
        (Json('{"type": "string", "minLength": 3, "maxLength": 2}'), "minLength"),
        (Json('{"type": "object"'), "schema"),
        (Json("[" * 5000), "schema"),
        (Json("false"), "false"),
        (Regex("(a"), "unclosed"),
        (Lark("start: nothing"), "nothing"),
    ],
)
async def test_what_can_t_be_followed_is_refused_by_name(
    serve: Serve, expression: Expression, problem: str
) -> None:
    backend = serve()
    with pytest.raises(RequestError, match=problem) as caught:
        await held(backend, expression)
    assert caught.value.param == "response_format"
    await until_idle(backend)
