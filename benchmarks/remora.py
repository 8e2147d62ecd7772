"""Remora, as its user runs it: every adapter is known to one server, and its defaults stand."""

from __future__ import annotations

import bootstrap

from benchmarks.contender import Contender, Launch, Start


def command(start: Start) -> list[str]:
    """``remora serve`` with the base as ``base`` and the adapters by their folders' names."""
    adapters = [word for path in start.adapters for word in ("--adapter", f"{path.name}={path}")]
    program = bootstrap.executable(start.python.parent.parent, "remora")
    return [
        *(str(program), "serve", "--no-ui", "--base", str(start.model)),
        *("--name", "base", "--port", str(start.port), "--device", start.device, *adapters),
    ]


REMORA = Contender(
    name="remora",
    title="Remora",
    launches=(Launch(8, ("base", "one", "each")),),
    command=command,
    base_id=lambda model: "base",
    ready="/readyz",
    packages=("torch", "starlette", "uvicorn"),
    request={"ignore_eos": True},
    variables={"REMORA_API_KEY": "", "REMORA_ADMIN_KEY": ""},
    add_adapter="/admin/adapters",
    notes="eight adapters are known to it in every scenario, also where only the base is asked",
)
