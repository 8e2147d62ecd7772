"""The clients: streams of chat completions over plain sockets, at the same moment.

The clients share the machine with the server, so they do next to nothing while a stream runs:
what arrives is kept with its time, and read once all streams have ended. `Burst.cpu_share` says
what that cost.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CHAT = "/v1/chat/completions"
LIMIT = 600.0  # [s]


class BadAnswer(Exception):
    """A server answered with an error, or with something that isn't a stream of completions."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One streamed request: which model, what message, how many new tokens, and what else."""

    model: str
    message: str
    max_tokens: int
    further: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The JSON body of a greedy, streamed chat completion."""
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": self.message}],
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.further,
        }


@dataclass(frozen=True, slots=True)
class Stream:
    """One answer. Times are `time.perf_counter` [s]; ``arrivals`` are those of text, in order."""

    sent: float
    arrivals: tuple[float, ...]
    prompt_tokens: int
    completion_tokens: int
    text: str

    @property
    def first_token(self) -> float:
        """Seconds from the request to the first text."""
        return self.arrivals[0] - self.sent


@dataclass(frozen=True, slots=True)
class Burst:
    """Streams that ran at once, and what the clients cost in CPU time per second."""

    streams: tuple[Stream, ...]
    cpu_share: float

    @property
    def tokens_per_second(self) -> float:
        """New tokens of all streams, from the first request to the last text."""
        begin = min(stream.sent for stream in self.streams)
        end = max(stream.arrivals[-1] for stream in self.streams)
        return sum(stream.completion_tokens for stream in self.streams) / (end - begin)


class Collector(asyncio.Protocol):
    """Keeps every piece that arrives with its time.

    ``under_way`` is set when the stream has brought some tokens, ``ended`` with the connection.
    """

    UNDER_WAY = 24  # pieces

    def __init__(self) -> None:
        self.pieces: list[tuple[float, bytes]] = []
        self.under_way = asyncio.Event()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.pieces.append((time.perf_counter(), data))
        if len(self.pieces) == self.UNDER_WAY:
            self.under_way.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.under_way.set()
        self.ended.set()


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection to a server."""

    transport: asyncio.Transport
    collector: Collector

    def send(self, request: bytes) -> float:
        """Send a request; returns when."""
        now = time.perf_counter()
        self.transport.write(request)
        return now


def post(path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP request whose connection the server closes after its answer."""
    data = json.dumps(body).encode()
    fields = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
        "Connection": "close",
        **(headers or {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + data


async def connect(port: int) -> Connection:
    """A connection to the server on this machine."""
    loop = asyncio.get_running_loop()
    return Connection(*await loop.create_connection(Collector, "127.0.0.1", port))


Meanwhile = Callable[[Sequence[Collector]], Awaitable[None]]


async def burst(
    port: int,
    asks: Sequence[Ask],
    meanwhile: Meanwhile | None = None,
) -> Burst:
    """Send all requests at once and wait for the last answer.

    ``meanwhile`` is an async function that runs beside the streams, given their collectors.
    Raises `BadAnswer`.
    """
    connections = [await connect(port) for _ in asks]
    collectors = [connection.collector for connection in connections]
    requests = [post(CHAT, ask.body()) for ask in asks]
    begin, cpu = time.perf_counter(), time.process_time()
    sent = [c.send(request) for c, request in zip(connections, requests, strict=True)]
    waits: list[Any] = [collector.ended.wait() for collector in collectors]
    if meanwhile is not None:
        waits.append(meanwhile(collectors))
    await asyncio.wait_for(asyncio.gather(*waits), LIMIT)
    share = (time.process_time() - cpu) / (time.perf_counter() - begin)
    streams = [read_stream(at, c.pieces) for at, c in zip(sent, collectors, strict=True)]
    return Burst(tuple(streams), share)


def read_stream(sent: float, pieces: Sequence[tuple[float, bytes]]) -> Stream:
    """Make a `Stream` of what arrived; raises `BadAnswer`."""
    arrivals: list[float] = []
    texts: list[str] = []
    usage: Mapping[str, int] = {}
    for at, event in events(pieces):
        if event == "[DONE]":
            continue
        message = json.loads(event)
        if "error" in message:
            raise BadAnswer(f"the stream broke: {message['error']}")
        usage = message.get("usage") or usage
        for choice in message["choices"]:
            text = (choice.get("delta") or {}).get("content")
            if text:
                arrivals.append(at)
                texts.append(text)
    if not arrivals or not usage:
        raise BadAnswer("the stream held no text, or no usage")
    tokens = usage["prompt_tokens"], usage["completion_tokens"]
    return Stream(sent, tuple(arrivals), *tokens, "".join(texts))


def read_json(pieces: Sequence[tuple[float, bytes]]) -> Any:
    """The JSON of an answer that is not a stream; raises `BadAnswer` for an error."""
    status, body = parts(pieces)
    data = b"".join(data for _, data in body)
    if not status.startswith("2"):
        raise BadAnswer(f"HTTP status {status or 'missing'}: {data.decode(errors='replace')[:500]}")
    return json.loads(data)


def events(pieces: Sequence[tuple[float, bytes]]) -> Iterator[tuple[float, str]]:
    """Server-sent events and when each was complete; raises `BadAnswer` for any status but 200."""
    status, body = parts(pieces)
    if status != "200":
        said = b"".join(data for _, data in body).decode(errors="replace")
        raise BadAnswer(f"HTTP status {status or 'missing'}: {said[:500]}")
    pending = b""
    for at, data in body:
        *complete, pending = (pending + data).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in complete:
            if event.startswith(b"data: "):
                yield at, event.removeprefix(b"data: ").decode()


def parts(
    pieces: Sequence[tuple[float, bytes]],
) -> tuple[str, Iterator[tuple[float, bytes]]]:
    """Status code, empty if there is no HTTP answer, and the body's pieces."""
    head, _, _ = b"".join(data for _, data in pieces).partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").lower().split("\r\n")
    status = first.split(" ")[1] if first.startswith("http/1.1 ") else ""
    chunked = "transfer-encoding: chunked" in fields
    return status, body_pieces(pieces, len(head) + 4, chunked=chunked)


def body_pieces(
    pieces: Sequence[tuple[float, bytes]], start: int, *, chunked: bool
) -> Iterator[tuple[float, bytes]]:
    """The body's pieces, without HTTP's chunk sizes, and when each was complete."""
    pending = b""
    for at, data in pieces:
        skipped, start = min(start, len(data)), max(0, start - len(data))
        pending += data[skipped:]
        if not chunked:
            yield at, pending
            pending = b""
            continue
        while b"\r\n" in pending:
            size, _, rest = pending.partition(b"\r\n")
            length = int(size.partition(b";")[0], 16)
            if len(rest) < length + 2:
                break
            yield at, rest[:length]
            pending = rest[length + 2 :]
