from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from typing import Any, Self

import pytest

from remora.client.events import events
from tests.cli.conftest import Remora
from tests.fake_endpoint import FakeEndpoint


def test_one_question_is_answered_by_the_first_model(
    remora: Remora, endpoint: FakeEndpoint
) -> None:
    ran = remora("chat", "Hello", "--endpoint", endpoint.url)
    assert (ran.code, ran.out, ran.err) == (0, "<base> hi\n", "")
    assert endpoint.requests[0]["messages"] == [{"role": "user", "content": "Hello"}]
    assert endpoint.keys == [None]


def test_model_system_prompt_and_key(
    remora: Remora, endpoint: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMORA_API_KEY", "secret")
    url = f"{endpoint.url}/v1/"
    ran = remora("chat", "Hi", "--endpoint", url, "--model", "tone", "--system", "Be brief.")
    assert ran.out == "<tone> hi\n"
    assert endpoint.requests[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert endpoint.keys == ["Bearer secret"]


def test_a_question_from_a_pipe(remora: Remora, endpoint: FakeEndpoint) -> None:
    remora("chat", "--endpoint", endpoint.url.removeprefix("http://"), answers="From a pipe\n")
    assert endpoint.requests[0]["messages"][0]["content"] == "From a pipe"


def test_json_tells_the_pieces_the_end_and_the_usage(
    remora: Remora, endpoint: FakeEndpoint
) -> None:
    assert remora("chat", "Hi", "--endpoint", endpoint.url, "--json").events == [
        {"event": "text", "text": "<base>"},
        {"event": "text", "text": " hi"},
        {"event": "finish", "reason": "stop"},
        {"event": "usage", "prompt_tokens": 7, "completion_tokens": 2},
    ]


@pytest.mark.parametrize(
    ("failure", "words", "hint"),
    [
        ((401, {"error": {"message": "No key."}}), "No key.", "REMORA_API_KEY"),
        ((404, {"error": {"message": "No such model."}}), "No such model.", "/models"),
        ((429, {"error": {"message": "Full."}}), "Full.", "try again"),
        ((503, {"error": {"message": "Loading."}}), "Loading.", "still loading"),
        ((502, b"<html>"), "answered 502", ""),
        ((200, b"<html>\n\n"), "ended the answer in the middle", ""),
        ((200, b"data: {oops\n\n"), "does not answer as the OpenAI API does", "before /v1"),
        ((200, b'data: {"error": {"message": "Broke."}}\n\n'), "Broke.", ""),
    ],
)
def test_what_the_endpoint_refuses_is_told(
    remora: Remora, endpoint: FakeEndpoint, failure: Any, words: str, hint: str
) -> None:
    endpoint.failure = failure
    ran = remora("chat", "Hi", "--endpoint", endpoint.url)
    assert ran.code == 4
    assert words in ran.err
    assert hint in ran.err


def test_an_answer_that_breaks_off_is_no_success(remora: Remora, endpoint: FakeEndpoint) -> None:
    endpoint.cut_off = True
    ran = remora("chat", "Hi", "--endpoint", endpoint.url)
    assert ran.code == 4
    assert ran.out == "<base> hi\n"
    assert "ended the answer in the middle" in ran.err


def test_nothing_answers(remora: Remora, endpoint: FakeEndpoint) -> None:
    with FakeEndpoint() as other:
        url = other.url
    ran = remora("chat", "Hi", "--endpoint", url)
    assert ran.code == 4
    assert f"Nothing answers at {url}" in ran.err
    assert "remora serve" in ran.err


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://host:port"])
def test_what_is_no_address(remora: Remora, url: str) -> None:
    ran = remora("chat", "Hi", "--endpoint", url)
    assert ran.code == 4
    assert "is not an address" in ran.err


def test_server_sent_events_of_every_form() -> None:
    lines = [": ping", "", "event: x", "data:a", "data: b", "", "", "data: c", "", "data: cut"]
    assert list(events(lines)) == ["a\nb", "c"]


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal is made with pty")
class TestConversation:
    """On a real terminal."""

    def test_a_conversation(self, endpoint: FakeEndpoint) -> None:
        with Terminal("chat", "--endpoint", endpoint.url) as terminal:
            terminal.until("Talking to base")
            terminal.type("Hello")
            terminal.until("<base> hi")
            terminal.type("/models")
            terminal.until("tone")
            terminal.type("/model tone")
            terminal.until("Talking to tone")
            terminal.type("/system Be brief.")
            terminal.until("Set.")
            terminal.type("And now?")
            terminal.until("<tone> hi")
            endpoint.failure = (429, {"error": {"message": "Full."}})
            terminal.type("Lost")
            terminal.until("error: Full.")
            endpoint.failure = None
            terminal.type("/help")
            terminal.until("/clear")
            terminal.type("/clear")
            terminal.until("Forgotten.")
            terminal.type("Again")
            terminal.until("<tone> hi")
            terminal.type("/quit")
            assert terminal.ended() == 0
        roles = [[m["role"] for m in body["messages"]] for body in endpoint.requests]
        assert roles == [
            ["user"],
            ["system", "user", "assistant", "user"],
            ["system", "user", "assistant", "user", "assistant", "user"],
            ["system", "user"],
        ]

    def test_ctrl_c_stops_an_answer_and_not_the_conversation(self, endpoint: FakeEndpoint) -> None:
        endpoint.answer = lambda _: itertools.repeat("word ", 10**7)
        with Terminal("chat", "--endpoint", endpoint.url) as terminal:
            terminal.until("> ")
            terminal.type("Talk for ever")
            terminal.until("word word")
            terminal.interrupt()
            terminal.until("(stopped)")
            assert endpoint.gone.wait(30)
            terminal.type("/quit")
            assert terminal.ended() == 0


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, *arguments: str) -> None:
        import pty

        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from remora.cli.main import main; main()", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "dumb", "COLUMNS": "200"},
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, line: str) -> None:
        self.seen = ""
        os.write(self.master, f"{line}\n".encode())

    def until(self, text: str) -> None:
        """Read until the text was shown; the end of the program ends the wait."""
        while text not in self.seen:
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                pytest.fail(f"{text!r} was never shown, but {self.seen!r}")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        return self.process.wait(30)
