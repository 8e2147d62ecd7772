"""What passes through a front: requests as they came, answers as they are given."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from remora.backends.upstream.connection import Connection
from tests.azure.own_certificate import make_certificate
from tests.front.conftest import first_event

MESSAGES: Any = [{"role": "user", "content": "one two three"}]


def test_a_chat_of_the_openai_client(pair: Any) -> None:
    front, behind = pair
    answer = front.openai.chat.completions.create(model="support", messages=MESSAGES)
    assert answer.choices[0].message.content == "one two three"
    assert behind.backend.requests[-1].model == "support"


def test_a_streamed_chat_of_the_openai_client(pair: Any) -> None:
    front, _ = pair
    stream = front.openai.chat.completions.create(
        model="base", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three"
    assert chunks[-1].usage.completion_tokens == 3


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_handed_back_as_it_is(pair: Any, stream: bool) -> None:
    front, behind = pair
    ours = front.chat("a b c", stream=stream, seed=1)
    theirs = behind.chat("a b c", stream=stream, seed=1)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert len(ours.content) == len(theirs.content)
    assert ours.status_code == theirs.status_code == 200


def test_completions_and_tokens(pair: Any) -> None:
    front, _ = pair
    text = front.openai.completions.create(model="base", prompt="go on", echo=True)
    assert text.choices[0].text == "go ongo on"
    tokens = front.http.post("/tokenize", json={"model": "base", "prompt": "a b"}).json()
    assert tokens["count"] == 3
    text = front.http.post("/detokenize", json={"model": "base", "tokens": [7]}).json()
    assert text == {"prompt": "id7"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"messages": MESSAGES}, 400, "missing_required_parameter"),
        ({"model": "base", "messages": []}, 400, "invalid_value"),
        ({"model": "base", "messages": MESSAGES, "tempreature": 1}, 400, "unknown_parameter"),
        ({"model": "base", "messages": MESSAGES, "n": 99}, 400, "invalid_value"),
        ({"model": "nobody", "messages": MESSAGES}, 404, "model_not_found"),
    ],
)
def test_what_is_wrong_is_refused_before_it_is_handed_on(
    pair: Any, body: Any, status: int, code: str
) -> None:
    front, behind = pair
    front.chat("hello").raise_for_status()
    seen = len(behind.backend.requests)
    answer = front.http.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(behind.backend.requests) == seen


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [("full", 429, "queue_full"), ("long", 400, "context_length_exceeded"), ("early", 500, None)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_keeps_its_status(
    pair: Any, script: str, status: int, code: str | None, stream: bool
) -> None:
    front, behind = pair
    front.chat("hello").raise_for_status()
    ours, theirs = front.chat(script, stream=stream), behind.chat(script, stream=stream)
    assert ours.status_code == theirs.status_code == status
    assert ours.json() == theirs.json()
    assert ours.headers.get("retry-after") == theirs.headers.get("retry-after")
    if code:
        assert ours.json()["error"]["code"] == code


def test_an_error_in_mid_stream_is_handed_back(pair: Any) -> None:
    front, _ = pair
    stream = front.openai.chat.completions.create(
        model="base", messages=[{"role": "user", "content": "break"}], stream=True
    )
    with pytest.raises(openai.APIError, match="broke while it answered"):
        list(stream)


def test_a_client_that_leaves_ends_the_generation(pair: Any) -> None:
    front, behind = pair
    with front.stream("stall") as answer:
        lines = answer.iter_lines()
        first_event(lines)
        assert front.status()["running"] == 1
    generation = behind.backend.generations[-1]
    while not generation.cancelled.is_set():
        front.http.get("/livez")
    while front.status()["running"]:
        pass


def test_the_front_lists_what_the_server_has_loaded(replica: Any, front: Any) -> None:
    behind = replica()
    front = front(behind.url)
    assert front.http.get("/v1/models").json()["data"] == []
    front.chat("hello").raise_for_status()
    while not (found := front.http.get("/v1/models").json()["data"]):
        pass
    assert found == behind.http.get("/v1/models").json()["data"]
    one = front.http.get("/v1/models/org/nested@1").json()
    assert one["parent"] == "base"
    missing = front.http.get("/v1/models/suport")
    assert missing.status_code == 404
    assert "'support'" in missing.json()["error"]["message"]


def test_health_and_metrics_are_the_fronts_own(replica: Any, front: Any) -> None:
    front = front(replica().url)
    assert front.http.get("/readyz").json()["phase"] == "ready"
    front.chat("hello", model="support").raise_for_status()
    counted = 'endpoint="/v1/chat/completions",model="support",status="200"} 1.0'
    while counted not in front.http.get("/metrics").text:
        pass


def test_the_document_is_that_of_the_fronts_routes(pair: Any) -> None:
    front, behind = pair
    paths = front.http.get("/openapi.json").json()["paths"]
    assert paths.keys() - behind.http.get("/openapi.json").json()["paths"].keys() == {"/status"}


def test_a_body_that_is_no_json_is_refused(pair: Any) -> None:
    front, behind = pair
    seen = len(behind.backend.requests)
    answer = front.http.post("/v1/chat/completions", content="model=base")
    assert answer.status_code == 415
    assert len(behind.backend.requests) == seen


@pytest.mark.parametrize(
    ("keys", "given", "status"),
    [
        (("one", "two"), "one", 200),
        (("one", "two"), "two", 200),
        (("one", "two"), "three", 401),
    ],
)
def test_keys(replica: Any, front: Any, keys: tuple[str, ...], given: str, status: int) -> None:
    behind = replica(api_keys=("one", "two"), admin_keys=("root",))
    before = front(behind.url, api_keys=keys, admin_keys=("root",))
    headers = {"Authorization": f"Bearer {given}"}
    body = {"model": "base", "messages": MESSAGES}
    answer = before.http.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == status


def test_keys_that_the_server_does_not_know_are_not_the_clients_fault(
    replica: Any, front: Any
) -> None:
    behind = replica(api_keys=("old",))
    before = front(behind.url, api_keys=("new",))
    with pytest.raises(openai.APIStatusError, match="refused the key") as caught:
        before.openai.chat.completions.create(model="base", messages=MESSAGES)
    assert caught.value.status_code == 502


def test_with_a_key_of_its_own_a_front_needs_none_that_the_server_knows(
    replica: Any, front: Any
) -> None:
    behind = replica(api_keys=("inner",), admin_keys=("root",))
    before = front(
        behind.url, options={"key": "inner"}, api_keys=("new", "old"), admin_keys=("root",)
    )
    for key, status in (("new", 200), ("old", 200), ("inner", 401)):
        headers = {"Authorization": f"Bearer {key}"}
        body = {"model": "support", "messages": MESSAGES}
        answer = before.http.post("/v1/chat/completions", json=body, headers=headers)
        assert answer.status_code == status
    headers = {"Authorization": "Bearer root"}
    assert before.http.get("/admin/adapters", headers=headers).status_code == 200
    models = before.http.get("/v1/models", headers={"Authorization": "Bearer old"}).json()["data"]
    assert "support" in {model["id"] for model in models}


def test_the_admin_api_is_handed_on(replica: Any, front: Any, tmp_path: Any) -> None:
    behind = replica(api_keys=("key",), admin_keys=("root",))
    before = front(behind.url, api_keys=("key",), admin_keys=("root",))
    (tmp_path / "adapter_config.json").write_text("{}")
    root = {"Authorization": "Bearer root"}
    assert before.http.get("/admin/adapters", headers=root).json()["error"]["code"] == "asleep"
    added = before.http.post(
        "/admin/adapters", json={"name": "new", "path": str(tmp_path)}, headers=root
    )
    assert added.status_code == 201
    listed = before.http.get("/admin/adapters", headers=root).json()["data"]
    assert "new" in [card["id"] for card in listed]
    removed = before.http.delete("/admin/adapters/new", headers=root)
    assert removed.json()["deleted"] is True
    refused = before.http.get("/admin/release", headers={"Authorization": "Bearer key"})
    assert refused.status_code == 403
    assert before.http.get("/admin/release", headers=root).json()["error"]["code"] == "no_release"


def test_over_tls_with_a_certificate_of_ones_own(
    replica: Any, front: Any, ingress: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    before = ingress(replica().url, tls=context)
    refused = front(before.url, options={"wake_limit": 0.1}).chat("hello")
    assert "CERTIFICATE_VERIFY_FAILED" in refused.text
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    assert front(before.url).chat("hello").status_code == 200


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    replica: Any, free_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = replica()
    monkeypatch.setenv("ALL_PROXY", free_address)
    monkeypatch.setenv("HTTP_PROXY", free_address)
    connection = Connection(behind.url)
    assert (await connection.readiness()).ready
    await connection.close()


def test_a_front_that_ends_lets_running_answers_end(replica: Any, front: Any) -> None:
    one = front(replica().url, drain_timeout=30)
    with one.stream("slow", max_tokens=60) as answer:
        lines = answer.iter_lines()
        first_event(lines)
        one.server.stop()
        assert "data: [DONE]" in list(lines)


def test_a_front_that_ends_still_answers_who_has_not_heard_of_it(replica: Any, front: Any) -> None:
    one = front(replica().url, linger=3, drain_timeout=20)
    one.http.get("/readyz").raise_for_status()
    one.server.stop()
    while one.http.get("/readyz").status_code != 503:
        pass
    assert one.chat("hello").status_code == 200


def test_an_answer_that_does_not_end_is_cut_off_when_the_front_ends(
    replica: Any, front: Any
) -> None:
    one = front(replica().url, drain_timeout=0.05)
    with one.stream("stall") as answer:
        lines = answer.iter_lines()
        first_event(lines)
        one.server.stop()
        assert "shut down before the answer's end" in "".join(lines)


def test_a_change_that_may_have_been_made_is_not_tried_again(front: Any, free_address: str) -> None:
    seen = []

    class Broken(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = b'{"phase": "ready"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            seen.append(self.path)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    one = front(f"http://127.0.0.1:{server.server_address[1]}")
    change = one.http.post("/admin/adapters", json={"name": "a", "path": "/a"})
    assert change.status_code == 502
    assert seen == ["/admin/adapters"]
    answer = one.chat("hello")
    assert answer.status_code == 502
    assert "broke off before it answered" in answer.json()["error"]["message"]
    assert seen[1:] == ["/v1/chat/completions"] * 2
    one.stop()
    server.shutdown()
    thread.join()
    server.server_close()
