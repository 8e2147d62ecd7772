"""Server processes are awaited, measured and ended."""

from __future__ import annotations

import queue
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import servers
from benchmarks.contender import Start
from benchmarks.peers import peers
from benchmarks.peers.peft_batch import Row, RowStreamer, gather
from benchmarks.remora import REMORA


def test_a_server_is_awaited_measured_and_ended() -> None:
    port = servers.free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with servers.running(command, port, {}) as server:
        assert server.wait_until_ready("/README.md") > 0
        assert server.get("/no-such-file") is None
        peak = server.memory_peak()
        assert peak is None or peak > 1
    assert server.process.poll() is not None


def test_a_server_that_ends_is_reported_with_its_last_words() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with servers.running(command, servers.free_port(), {}) as server:
        with pytest.raises(servers.ServerFailed, match="status 1"):
            server.wait_until_ready("/")
        assert server.tail() == "no such model"


def test_every_contender_says_how_it_is_started() -> None:
    contenders = [REMORA, *peers()]
    assert {c.name for c in contenders} >= {"remora", "ai_toolkit", "peft_batch"}
    start = Start(Path("python"), Path("base"), [Path("adapters/a0")], 1234, "cpu")
    for contender in contenders:
        command = contender.command(start)
        assert "1234" in command
        assert "cpu" in command
        adapted = max(launch.adapters for launch in contender.launches) > 0
        assert any("a0" in word for word in command) == adapted


def test_a_batch_takes_what_arrives_together() -> None:
    waiting: queue.SimpleQueue[Row] = queue.SimpleQueue()
    for number in range(40):
        waiting.put(Row([], f"a{number}", 4))
    assert [row.adapter for row in gather(waiting)] == [f"a{n}" for n in range(32)]
    assert len(gather(waiting)) == 8


def test_each_row_of_a_batch_gets_its_own_text() -> None:
    class Tokenizer:
        def batch_decode(self, tokens: torch.Tensor) -> list[str]:
            return [f" {row[0]}" for row in tokens.tolist()]

    rows = [Row([], "a0", 2), Row([], "a1", 2)]
    streamer = RowStreamer(Tokenizer(), rows)
    streamer.put(torch.tensor([[7, 7, 7], [8, 8, 8]]))
    streamer.put(torch.tensor([1, 2]))
    streamer.end()
    assert [[row.texts.get(), row.texts.get()] for row in rows] == [[" 1", None], [" 2", None]]
