"""What is measured: a server with an OpenAI-shaped API, and what it can serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["base", "one", "each"]
"""Who answers: the base model, one adapter for all streams, or an adapter per stream."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A way to start the server: with how many adapters, and which kinds it then serves."""

    adapters: int
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """What a server's command line needs to know."""

    python: Path
    model: Path
    adapters: Sequence[Path]
    port: int
    device: str


@dataclass(frozen=True, slots=True)
class Contender:
    """A server under test.

    ``requirements`` go to the virtual environment called ``environment``; no environment means
    Remora's own; ``packages`` are those whose versions are reported. ``base_id`` is the name of
    the base model in a request. ``ready`` is a path that answers 200 once the model can be asked.
    ``request`` is added to the body of every request, ``variables`` to the environment.
    ``add_adapter`` is where an adapter is posted to while it runs, if it can be. ``notes`` say
    what favours or hinders it.
    """

    name: str
    title: str
    launches: tuple[Launch, ...]
    command: Callable[[Start], list[str]]
    base_id: Callable[[Path], str]
    ready: str
    environment: str | None = None
    requirements: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("torch", "transformers", "peft", "fastapi", "uvicorn")
    devices: tuple[str, ...] = ("cpu", "cuda")
    request: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    add_adapter: str = ""
    notes: str = ""


def module_command(module: str) -> Callable[[Start], list[str]]:
    """The command line of a peer whose server is a module of `benchmarks.peers`."""

    def command(start: Start) -> list[str]:
        adapters = [word for path in start.adapters for word in ("--adapter", str(path))]
        return [
            *(str(start.python), "-m", module, "--model", str(start.model)),
            *("--port", str(start.port), "--device", start.device, *adapters),
        ]

    return command
