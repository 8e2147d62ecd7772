"""A server at zero replicas: what is answered without it, what waits for it, what wakes it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from remora.backends.backend import Phase
from tests.front.conftest import first_event

MESSAGES: Any = [{"role": "user", "content": "one two"}]


def asleep(front: Any, ingress: Any, **options: Any) -> tuple[Any, Any]:
    """A front before an app without replicas."""
    before = ingress()
    return front(before.url, options=options), before


def test_nothing_wakes_it_but_requests_for_answers(front: Any, ingress: Any) -> None:
    one, before = asleep(front, ingress)
    for path in ("/readyz", "/livez", "/v1/models", "/status", "/metrics", "/openapi.json"):
        one.http.get(path).raise_for_status()
    assert one.http.get("/admin/release").json()["error"]["code"] == "asleep"
    assert one.http.post("/v1/chat/completions", json={"model": 1}).status_code == 400
    assert before.paths == []
    assert one.status() == {
        "presence": "asleep",
        "since": None,
        "detail": "",
        "progress": None,
        "running": 0,
        "waiting": 0,
        "replicas": 0,
        "hours_awake": 0,
        "max_hours_awake": 0,
    }


def test_a_stream_is_kept_alive_until_it_wakes(front: Any, ingress: Any, replica: Any) -> None:
    one, before = asleep(front, ingress)
    behind = replica()
    with one.stream("one two") as answer:
        lines = answer.iter_lines()
        assert answer.status_code == 200
        assert next(lines).startswith(": waking, starting")
        before.wait_for("/readyz")
        assert one.status()["presence"] == "waking"
        assert one.status()["waiting"] == 1
        before.replicas.append(behind.url)
        rest = list(lines)
    events = [line.removeprefix("data: ") for line in rest if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    texts = [json.loads(e)["choices"][0]["delta"].get("content", "") for e in events[:-1]]
    assert "".join(texts) == "one two"
    assert one.status()["presence"] == "awake"


def test_the_openai_client_waits_for_a_wake(front: Any, ingress: Any, replica: Any) -> None:
    one, before = asleep(front, ingress)
    behind = replica()

    def wake() -> None:
        before.wait_for("/readyz", 2)
        before.replicas.append(behind.url)

    waker = threading.Thread(target=wake)
    waker.start()
    stream = one.openai.chat.completions.create(model="base", messages=MESSAGES, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    waker.join()
    assert text == "one two"


def test_what_is_not_streamed_waits_for_its_patience(front: Any, ingress: Any) -> None:
    one, before = asleep(front, ingress, patience=0.3)
    answer = one.chat("hello")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("waking", "service_unavailable_error")
    assert "ingress answered 503" in error["message"]
    # The wake goes on, so that the next try finds it further.
    before.wait_for("/readyz", len(before.asked("/readyz")) + 1)


def test_one_probe_for_all_that_wait_and_all_go_on(front: Any, ingress: Any, replica: Any) -> None:
    one, before = asleep(front, ingress)
    behind = replica()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(one.chat, f"number {i}") for i in range(8)]
        while one.status()["waiting"] < 8:
            pass
        assert before.asked("/v1/chat/completions") == []
        probes = len(before.asked("/readyz"))
        before.wait_for("/readyz", probes + 1)
        assert len(before.asked("/readyz")) == probes + 1
        before.replicas.append(behind.url)
        texts = [a.result().json()["choices"][0]["message"]["content"] for a in answers]
    assert texts == [f"number {i}" for i in range(8)]


def test_the_waiting_room_is_bounded(front: Any, ingress: Any) -> None:
    one, _ = asleep(front, ingress, max_waiting=2)
    with one.stream("first"), one.stream("second"):
        while one.status()["waiting"] < 2:
            pass
        for stream in (False, True):
            refused = one.chat("third", stream=stream)
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "queue_full"
            assert int(refused.headers["retry-after"]) > 0
    while one.status()["waiting"]:
        pass
    with one.stream("fourth") as answer:
        assert answer.status_code == 200


def test_a_model_that_loads_is_told_of(front: Any, replica: Any) -> None:
    behind = replica()
    behind.backend.phase = Phase.LOADING
    one = front(behind.url)
    with one.stream("hello") as answer:
        lines = answer.iter_lines()
        while "reading weights" not in next(lines):
            pass
        status = one.status()
        assert (status["presence"], status["progress"]) == ("waking", 0.25)
        behind.backend.phase = Phase.READY
        assert any("[DONE]" in line for line in lines)


def test_a_model_that_can_not_be_loaded(front: Any, replica: Any) -> None:
    behind = replica()
    behind.backend.phase = Phase.FAILED
    one = front(behind.url)
    answer = one.chat("hello")
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert error["code"] == "wake_failed"
    assert "no such folder" in error["message"]
    assert one.status()["presence"] == "asleep"
    assert "no such folder" in one.status()["detail"]
    behind.backend.phase = Phase.READY
    assert one.chat("hello").status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_at_the_address(front: Any, free_address: str, stream: bool) -> None:
    one = front(free_address, options={"refused_limit": -1.0})
    answer = one.chat("hello", stream=stream)
    assert answer.status_code == 503 if not stream else answer.status_code in {200, 503}
    assert "nothing answers at" in answer.text
    assert "wake_failed" in answer.text


def test_a_wake_has_a_limit(front: Any, ingress: Any) -> None:
    one, _ = asleep(front, ingress, wake_limit=0.3)
    answer = one.chat("hello")
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert error["code"] == "wake_failed"
    assert "not ready after 0.3 s" in error["message"]
    assert "ingress answered 503" in error["message"]


def test_a_failed_wake_is_the_last_event_of_a_stream(front: Any, ingress: Any) -> None:
    one, _ = asleep(front, ingress, wake_limit=0.5)
    stream = one.openai.chat.completions.create(model="base", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="could not be woken"):
        list(stream)


def test_it_sleeps_when_its_cooldown_has_passed(front: Any, replica: Any) -> None:
    one = front(replica().url, options={"cooldown": 300.0})
    one.chat("hello").raise_for_status()
    began = one.clock.now
    one.clock.now += 299
    assert one.status()["presence"] == "awake"
    one.clock.now += 2
    status = one.status()
    assert (status["presence"], status["since"]) == ("asleep", began + 300)
    states = {model["state"] for model in one.http.get("/v1/models").json()["data"]}
    assert states <= {"registered", "failed"}


def test_one_that_never_sleeps(front: Any, replica: Any) -> None:
    one = front(replica().url, options={"cooldown": 0.0})
    one.chat("hello").raise_for_status()
    one.clock.now += 10_000_000
    assert one.status()["presence"] == "awake"


def test_a_stream_keeps_it_awake(front: Any, replica: Any) -> None:
    one = front(replica().url, options={"cooldown": 300.0})
    with one.stream("stall") as answer:
        lines = answer.iter_lines()
        first_event(lines)
        one.clock.now += 3600
        assert one.status()["presence"] == "awake"


def test_a_server_that_restarts_is_waited_for(front: Any, ingress: Any, replica: Any) -> None:
    first = replica()
    before = ingress(first.url)
    one = front(before.url)
    one.chat("hello").raise_for_status()
    before.replicas[0] = None
    with one.stream("again") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith(": ")
        before.replicas[0] = replica().url
        assert any("[DONE]" in line for line in lines)


def test_a_server_that_ends_in_mid_stream(front: Any, replica: Any) -> None:
    behind = replica()
    one = front(behind.url)
    one.chat("hello").raise_for_status()
    stream = one.openai.chat.completions.create(
        model="base", messages=[{"role": "user", "content": "stall"}], stream=True
    )
    chunks = iter(stream)
    next(chunks)
    behind.stop()
    with pytest.raises(openai.APIError, match="shut down before the answer's end"):
        list(chunks)


def test_the_hours_of_a_day_are_bounded(front: Any, replica: Any) -> None:
    one = front(replica().url, options={"max_hours_awake": 2.0, "cooldown": 1800.0})
    one.clock.now = 1_800_057_600.0  # a midnight
    one.clock.now -= one.clock.now % 86400
    one.chat("hello").raise_for_status()
    with one.stream("stall") as answer:
        lines = answer.iter_lines()
        first_event(lines)
        one.clock.now += 7200
        refused = one.chat("hello")
        assert refused.status_code == 503
        error = refused.json()["error"]
        assert error["code"] == "hours_spent"
        assert "2 hours a day" in error["message"]
        assert "00:00 UTC" in error["message"]
        assert int(refused.headers["retry-after"]) == 22 * 3600 + 1
        assert one.status()["hours_awake"] == 2
    one.clock.now += 22 * 3600
    assert one.chat("hello").status_code == 200


def test_a_front_that_ends_answers_those_who_wait(front: Any, ingress: Any, replica: Any) -> None:
    before = ingress()
    one = front(before.url, drain_timeout=20)
    with one.stream("hello") as answer:
        lines = answer.iter_lines()
        next(lines)
        one.server.stop()
        before.replicas.append(replica().url)
        assert "data: [DONE]" in list(lines)


def test_a_front_that_ends_does_not_wait_for_ever(front: Any, ingress: Any) -> None:
    one, _ = asleep(front, ingress)
    with one.stream("hello") as answer:
        lines = answer.iter_lines()
        next(lines)
        one.server.stop()
        assert "shut down before the answer's end" in "".join(lines)
