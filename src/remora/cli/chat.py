"""``remora chat``: talk to any OpenAI-compatible endpoint in the terminal."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.options import AsJson
from remora.cli.output import INTERRUPTED, Output
from remora.errors import EndpointError

if TYPE_CHECKING:
    from remora.client.endpoint import Endpoint

DEFAULT_ENDPOINT = "http://127.0.0.1:7860"
COMMANDS = """\
/model NAME   talk to another model; without NAME, say which it is
/models       list what is served
/system TEXT  set the system prompt; without TEXT, remove it
/clear        forget the conversation
/quit         leave (or Ctrl-D); Ctrl-C stops an answer"""


def chat_command(url: str) -> str:
    """What a user types to talk to the endpoint at that address."""
    return "remora chat" if url == DEFAULT_ENDPOINT else f"remora chat --endpoint {url}"


def chat(
    prompt: Annotated[
        str | None, typer.Argument(help="Ask this and leave. Without it: a conversation.")
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="Address of the endpoint.", envvar="REMORA_ENDPOINT")
    ] = DEFAULT_ENDPOINT,
    model: Annotated[
        str | None, typer.Option(help="Model or adapter. Default: the first that is served.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="System prompt.")] = None,
    json: AsJson = False,
) -> None:
    """Talk to a model in the terminal.

    The key of the endpoint is read from the environment variable REMORA_API_KEY.
    """
    from remora.client.endpoint import Endpoint

    output = Output(json)
    with closing(Endpoint.at(endpoint, os.environ.get("REMORA_API_KEY"))) as server:
        talk = Conversation(server, output, model or _first_model(server), system)
        if prompt is not None:
            sys.exit(talk.ask(prompt))
        if not sys.stdin.isatty():
            sys.exit(talk.ask(sys.stdin.read().strip()))
        converse(talk)


@dataclass(slots=True)
class Conversation:
    """What was said so far, and to whom."""

    server: Endpoint
    output: Output
    model: str
    system: str | None = None
    turns: list[dict[str, str]] = field(default_factory=list)

    def ask(self, text: str) -> int:
        """Print the answer as it arrives and remember both; returns the exit code.

        A turn that is stopped is remembered as far as it came; one that fails is forgotten.
        """
        question = {"role": "user", "content": text}
        first = [{"role": "system", "content": self.system}] if self.system else []
        answer, interrupted = "", False
        with closing(self.server.chat(self.model, [*first, *self.turns, question])) as chunks:
            try:
                for chunk in chunks:
                    answer += chunk.text
                    self._show(chunk.text)
                    if chunk.finish_reason:
                        self.output.say("finish", reason=chunk.finish_reason)
                    if chunk.usage:
                        self.output.say("usage", **chunk.usage)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                if not self.output.as_json:
                    print(flush=True)  # noqa: T201
        self.turns += [question, {"role": "assistant", "content": answer}]
        if interrupted:
            self.output.say("stopped", "(stopped)")
        return INTERRUPTED if interrupted else 0

    def _show(self, text: str) -> None:
        if self.output.as_json:
            if text:
                self.output.say("text", text=text)
        else:
            sys.stdout.write(text)
            sys.stdout.flush()


def converse(talk: Conversation) -> None:
    """Ask and answer until the user leaves."""
    _enable_line_editing()
    talk.output.say("model", f"Talking to {talk.model}. /help lists the commands.", name=talk.model)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            talk.output.say("hint", "\n/quit leaves.")
            continue
        if line in {"/quit", "/exit"}:
            return
        try:
            if line.startswith("/"):
                obey(talk, line)
            elif line:
                talk.ask(line)
        except EndpointError as error:
            text = f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else "")
            talk.output.say("error", text, message=str(error), hint=error.hint)


def obey(talk: Conversation, line: str) -> None:
    """Carry out a command of the conversation."""
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    match command:
        case "/model":
            talk.model = rest or talk.model
            talk.output.say("model", f"Talking to {talk.model}.", name=talk.model)
        case "/models":
            names = talk.server.models()
            talk.output.say("models", "\n".join(names), names=names)
        case "/system":
            talk.system = rest or None
            talk.output.say("system", "Set." if rest else "Removed.", text=rest)
        case "/clear":
            talk.turns.clear()
            talk.output.say("cleared", "Forgotten.")
        case _:
            talk.output.say("help", COMMANDS)


def _first_model(server: Endpoint) -> str:
    names = server.models()
    if not names:
        raise EndpointError("The endpoint serves no model")
    return names[0]


def _enable_line_editing() -> None:
    try:
        import readline  # noqa: F401  Its import gives `input` history and editing.
    except ImportError:
        return  # Windows' console has both by itself.
