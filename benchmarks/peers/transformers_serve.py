"""``transformers serve --continuous-batching``: the library's own server; it has no adapters."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contender import Contender, Launch, Start
from benchmarks.peers import serving


def command(start: Start) -> list[str]:
    """The command line of the library's own program."""
    return [
        *(str(start.python), "-m", "transformers.cli.transformers", "serve", str(start.model)),
        *("--continuous-batching", "--device", start.device, "--port", str(start.port)),
        *("--host", "127.0.0.1", "--log-level", "warning"),
    ]


def base_id(model: Path) -> str:
    """It calls a model by its folder."""
    return str(model)


PEER = Contender(
    name="transformers_serve",
    title="transformers serve, continuous batching",
    environment="transformers",
    requirements=serving.TRANSFORMERS,
    launches=(Launch(0, ("base",)),),
    command=command,
    base_id=base_id,
    ready="/health",
    notes="serves no adapters",
)
