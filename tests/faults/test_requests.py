"""Requests that mean harm: a clear answer, nothing left behind, nobody else disturbed."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.conftest import Victim

ASK: dict[str, Any] = {
    "model": "base",
    "messages": [{"role": "user", "content": "What do sharks eat?"}],
    "max_tokens": 4,
}
POISON: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "a million choices": ({"n": 1_000_000}, 400, "n"),
    "more tokens than there is memory": ({"max_tokens": 2**31 - 1}, 400, "max_tokens"),
    "a number of 400 digits": ({"max_tokens": 10**400}, 400, "max_tokens"),
    "a bias for every token and more": (
        {"logit_bias": {str(n): 100 for n in range(100_000)}}, 400, "logit_bias",
    ),
    "a bias that is no number": ({"logit_bias": {"5": float("nan")}}, 400, None),
    "a huge bias": ({"logit_bias": {"5": 1e300}}, 400, "logit_bias.5"),
    "most tokens forbidden": ({"logit_bias": {str(n): -100 for n in range(2000)}}, 200, None),
    "an infinite temperature": ({"temperature": float("inf")}, 400, None),
    "a stop string of a megabyte": ({"stop": "x" * 2**20}, 400, "stop"),
    "a thousand stop strings": ({"stop": ["x"] * 1000}, 400, "stop"),
    "stop at NUL": ({"stop": "\0"}, 200, None),
    "NUL": ({"messages": [{"role": "user", "content": "a\0b"}]}, 200, None),
    "a lone surrogate": ({"messages": [{"role": "user", "content": "\ud800"}]}, 400, None),
    "a lone surrogate to stop at": ({"stop": "\udfff"}, 400, None),
    "a prompt longer than the context": (
        {"messages": [{"role": "user", "content": "shark " * 20_000}]}, 400, "messages",
    ),
    "ten thousand messages": (
        {"messages": [{"role": "user", "content": "hi"}] * 10_000}, 400, "messages",
    ),
    "no messages": ({"messages": []}, 400, "messages"),
    "special tokens as text": (
        {"messages": [{"role": "user", "content": "<|end|><|assistant|>" * 30}]}, 200, None,
    ),
    "a role of a megabyte": ({"messages": [{"role": "r" * 2**20, "content": "x"}]}, 400, None),
    "a name with a path in it": ({"model": "../../etc/passwd"}, 404, "model"),
    "a seed beyond 64 bits": ({"seed": 2**80}, 400, "seed"),
    "as many log-probabilities as tokens": (
        {"logprobs": True, "top_logprobs": 2048}, 400, "top_logprobs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", POISON)
def test_poison_is_named_and_harms_nobody(victim: Victim, name: str) -> None:
    before = victim.answer()
    changes, status, param = POISON[name]
    reply = victim.http.post(
        "/v1/chat/completions",
        content=json.dumps(ASK | changes),
        headers={"Content-Type": "application/json"},
    )
    assert reply.status_code == status, reply.text[:500]
    if status != 200:
        error = reply.json()["error"]
        assert error["message"]
        assert len(error["message"]) < 2000
        if param is not None:
            assert error["param"] == param
    assert victim.answer() == before
    victim.expect_idle()


def test_nested_too_deep(victim: Victim) -> None:
    deep = b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    reply = victim.http.post(
        "/v1/chat/completions", content=deep, headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


def test_poison_beside_a_stream_leaves_it_as_it_is(victim: Victim) -> None:
    alone = victim.answer("pirate", max_tokens=40)
    said: list[str] = []
    stream = threading.Thread(target=lambda: said.append(victim.answer("pirate", max_tokens=40)))
    stream.start()
    for changes, _, _ in POISON.values():
        victim.http.post(
            "/v1/chat/completions",
            content=json.dumps(ASK | changes),
            headers={"Content-Type": "application/json"},
        )
    stream.join()
    assert said == [alone]
    victim.expect_idle()


NUMBERS = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, 1e-308, float("nan")]),
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "\0", "\ud83d", "base", "tone", "<|end|>", "\U0001f419", "x" * 5000]),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool", "x"]), "content": TEXTS}
    ),
    max_size=4,
)
FIELDS = {
    "temperature": NUMBERS, "top_p": NUMBERS, "top_k": NUMBERS, "min_p": NUMBERS, "seed": NUMBERS,
    "n": NUMBERS, "max_tokens": st.integers(-1, 6) | NUMBERS, "min_tokens": NUMBERS,
    "stop": TEXTS | st.lists(TEXTS, max_size=3), "presence_penalty": NUMBERS,
    "frequency_penalty": NUMBERS, "repetition_penalty": NUMBERS, "logprobs": ANYTHING,
    "top_logprobs": NUMBERS, "logit_bias": st.dictionaries(NUMBERS.map(str), NUMBERS, max_size=3),
    "stream": ANYTHING, "ignore_eos": ANYTHING, "stop_token_ids": st.lists(NUMBERS, max_size=3),
    "stream_options": ANYTHING, "response_format": ANYTHING, "tools": ANYTHING,
    "tool_choice": ANYTHING, "chat_template_kwargs": ANYTHING, "model": TEXTS,
    "messages": MESSAGES | ANYTHING, "user": ANYTHING,
}  # fmt: skip
BODIES = st.fixed_dictionaries({}, optional=FIELDS).map(lambda drawn: {**ASK, "n": 1, **drawn})


def cut(body: dict[str, Any], place: float, junk: bytes) -> bytes:
    """A body with junk in it, or broken off where there is none."""
    data = json.dumps(body).encode()
    at = int(place * len(data))
    return data[:at] + junk + (data[at + len(junk) :] if junk else b"")


CONTENTS = st.one_of(
    BODIES.map(lambda body: json.dumps(body).encode()),
    st.builds(cut, BODIES, st.floats(0, 1), st.binary(max_size=4)),
)


@pytest.mark.slow
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=CONTENTS, path=st.sampled_from(["/v1/chat/completions", "/v1/completions"]))
def test_any_body_is_answered_or_refused(victim: Victim, content: bytes, path: str) -> None:
    if path == "/v1/completions":
        content = content.replace(b'"messages"', b'"prompt"')
    reply = victim.http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert reply.status_code in (200, 400, 404), reply.text[:500]
    if reply.status_code != 200:
        assert reply.json()["error"]["message"]
    else:
        assert '"error"' not in reply.text, reply.text[:500]


def test_nothing_of_all_that_is_left(victim: Victim) -> None:
    assert victim.answer()
    victim.expect_idle()
