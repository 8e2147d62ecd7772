"""An OpenAI-compatible endpoint of a few lines, which answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]


class StubEndpoint:
    """Serves two models; `answer` maps a request's body to the words that are streamed."""

    def __init__(self) -> None:
        self.answer: Callable[[Body], list[str]] = lambda body: [f"<{body['model']}>", " hi"]
        self.failure: tuple[int, Any] | None = None
        self.cut_off = False
        self.requests: list[Body] = []
        self.keys: list[str | None] = []
        self.gone = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply({"object": "list", "data": [{"id": "base"}, {"id": "tone"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub.requests.append(body)
                stub.keys.append(self.headers["Authorization"])
                if stub.failure is not None:
                    self._reply(stub.failure[1], stub.failure[0])
                else:
                    self._stream(stub.answer(body))

            def _reply(self, value: Any, status: int = 200) -> None:
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _stream(self, words: list[str]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                try:
                    self.wfile.write(b": ping\n\n")
                    for word in words:
                        self._event({"choices": [{"index": 0, "delta": {"content": word}}]})
                    if stub.cut_off:
                        return
                    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
                    self._event({"choices": [end]})
                    self._event({"choices": [], "usage": {"completion_tokens": len(words)}})
                    self.wfile.write(b"data: [DONE]\n\n")
                except (BrokenPipeError, ConnectionResetError):
                    stub.gone.set()

            def _event(self, value: Any) -> None:
                self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
                self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler
