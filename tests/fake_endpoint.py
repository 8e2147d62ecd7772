"""An endpoint of a few lines that does what a test tells it to: load, stream, fail, break off."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]

MODELS: list[Body] = [
    {"id": "base", "parent": None, "state": "ready", "digest": "sha256:aaaabbbbccccdddd"},
    {
        "id": "tone",
        "parent": "base",
        "state": "ready",
        "digest": "sha256:1111222233334444",
        "rank": 8,
        "probe": {"outcome": "differs"},
        "defaults": {"temperature": 0.6, "top_k": 0},
    },
    {"id": "broken", "parent": "base", "state": "failed", "reason": "adapter_model is missing"},
]
LOADING = {"phase": "loading", "detail": "reading layer 3 of 4", "progress": 0.75}
METRICS = b"""\
remora_running_requests 3.0
remora_waiting_requests 1.0
remora_engine_generated_tokens_total 500.0
"""
POSTS: dict[str, Any] = {
    "/tokenize": {"count": 12, "tokens": [1, 2, 3]},
    "/detokenize": {"prompt": "<|user|>What the template <made>"},
}


def error(status: int, message: str) -> tuple[int, Body]:
    return status, {"error": {"message": message}}


class FakeEndpoint:
    """`answer` maps a request's body to words. `failure` is a status with a message, or with what
    stands in the place of a body of errors. The other attributes are switches."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.reset()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def reset(self) -> None:
        """As it was at first."""
        self.answer: Callable[[Body], Iterator[str] | list[str]] = lambda body: [
            f"{body['model']} says ",
            body["messages"][-1]["content"],
        ]
        self.models = MODELS
        self.ready = True
        self.failure: tuple[int, Any] | None = None
        self.cut_off = False
        self.requests: list[Body] = []
        self.keys: list[str | None] = []
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def endless(self, _: Body) -> Iterator[str]:
        """An answer that only its reader ends."""
        pace, gone = threading.Event(), self.gone
        while not gone.is_set():
            yield "on and "
            pace.wait(0.01)

    def get(self, path: str, authorization: str | None) -> tuple[int, Any]:
        """Status and body of what is read."""
        if path == "/readyz":
            return (200 if self.ready else 503), LOADING
        if self.key and authorization != f"Bearer {self.key}":
            return error(401, "That is not an API key of this server.")
        values: dict[str, Any] = {
            "/v1/models": {"object": "list", "data": self.models, "release": "5eed5eed5eed"},
            "/metrics": METRICS,
        }
        return (200, values[path]) if path in values else error(404, "There is no such route.")

    def post(self, path: str, body: Body, authorization: str | None) -> tuple[int, Any] | None:
        """Status and body, or None for a chat that is streamed."""
        if path in POSTS:
            return 200, POSTS[path]
        self.requests.append(body)
        self.keys.append(authorization)
        if self.failure is not None:
            status, value = self.failure
            return error(status, value) if isinstance(value, str) else self.failure
        return None if self.ready else error(503, "The model is loading.")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gone.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, value = fake.get(self.path, self.headers["Authorization"])
                self._reply(value, status)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = fake.post(self.path, body, self.headers["Authorization"])
                if answer is not None:
                    self._reply(answer[1], answer[0])
                else:
                    self._stream(fake.answer(body))

            def _reply(self, value: Any, status: int = 200) -> None:
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _stream(self, words: Iterator[str] | list[str]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                count, gone = 0, fake.gone
                try:
                    self.wfile.write(b": ping\n\n")
                    for word in words:
                        count += 1
                        self._event({"choices": [{"index": 0, "delta": {"content": word}}]})
                    if fake.cut_off:
                        return
                    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
                    self._event({"choices": [end]})
                    usage = {"prompt_tokens": 7, "completion_tokens": count}
                    self._event({"choices": [], "usage": usage})
                    self.wfile.write(b"data: [DONE]\n\n")
                except (BrokenPipeError, ConnectionResetError):
                    gone.set()

            def _event(self, value: Any) -> None:
                self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
                self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler
