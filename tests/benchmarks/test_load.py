"""The clients, against a small server that streams what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from benchmarks.load import Ask, BadAnswer, Collector, burst, events, read_json, read_stream

USAGE = {"prompt_tokens": 128, "completion_tokens": 3}


def event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def text(words: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": words}}]})


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
LAST = event({"choices": [], "usage": USAGE}) + b"data: [DONE]\n\n"


@asynccontextmanager
async def server(pieces: Sequence[bytes], requests: list[bytes]) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        requests.append(await reader.readexactly(length))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def test_all_streams_are_read_to_their_end() -> None:
    requests: list[bytes] = []
    pieces = [HEAD, chunk(ROLE), chunk(text(" a")), chunk(text(" b")), chunk(LAST), b"0\r\n\r\n"]
    async with server(pieces, requests) as port:
        result = await burst(port, [Ask(f"a{n}", "hello", 3, {"ignore_eos": True}) for n in (0, 1)])
    assert [stream.text for stream in result.streams] == [" a b", " a b"]
    assert [len(stream.arrivals) for stream in result.streams] == [2, 2]
    assert all(stream.sent < stream.arrivals[0] for stream in result.streams)
    assert {stream.completion_tokens for stream in result.streams} == {3}
    assert result.tokens_per_second > 0
    bodies = sorted(map(json.loads, requests), key=lambda body: body["model"])
    assert [body["model"] for body in bodies] == ["a0", "a1"]
    assert bodies[0]["stream"] is True
    assert bodies[0]["ignore_eos"] is True


async def test_something_else_runs_beside_the_streams() -> None:
    seen = []

    async def meanwhile(collectors: Sequence[Collector]) -> None:
        await collectors[0].under_way.wait()
        seen.append(len(collectors))

    pieces = [HEAD, chunk(text(" a")), chunk(LAST), b"0\r\n\r\n"]
    async with server(pieces, []) as port:
        await burst(port, [Ask("base", "hello", 3)], meanwhile)
    assert seen == [1]


def test_an_event_is_timed_by_the_piece_that_completes_it() -> None:
    body = chunk(text(" a")) + chunk(text(" b")) + chunk(LAST)
    cut = len(chunk(text(" a"))) + 20
    stream = read_stream(0.5, [(1.0, HEAD + body[:cut]), (2.0, body[cut:])])
    assert stream.arrivals == (1.0, 2.0)
    assert stream.first_token == 0.5


@pytest.mark.parametrize("size", [1, 7, 50])
def test_pieces_may_be_cut_anywhere(size: int) -> None:
    whole = HEAD + chunk(ROLE + text(" a")[:9]) + chunk(text(" a")[9:] + LAST) + b"0\r\n\r\n"
    pieces = [(float(n), whole[n : n + size]) for n in range(0, len(whole), size)]
    assert read_stream(-1.0, pieces).text == " a"
    assert [json.loads(e) for _, e in events(pieces) if e != "[DONE]"][-1]["usage"] == USAGE


def test_an_error_status_is_a_bad_answer() -> None:
    refusal = b'HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{"error": "no such model"}'
    with pytest.raises(BadAnswer, match=r"404.*no such model"):
        read_stream(0.0, [(1.0, refusal)])
    with pytest.raises(BadAnswer, match="404"):
        read_json([(1.0, refusal)])


def test_a_closed_connection_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="missing"):
        read_stream(0.0, [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (LAST, "no text"),
        (text(" a"), "no usage"),
        (text(" a") + event({"error": {"message": "out of memory"}}), "out of memory"),
    ],
)
def test_an_incomplete_stream_is_a_bad_answer(body: bytes, said: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        read_stream(0.0, [(1.0, HEAD + chunk(body))])


def test_an_answer_that_is_not_a_stream_is_json() -> None:
    assert read_json([(1.0, b'HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{"id": 1}')]) == {
        "id": 1
    }
