"""What the start of a server may not load: each of these would be waited for."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("remora.gateway.settings", {"starlette", "uvicorn", "pydantic", "torch"}),
        (
            "remora.gateway.server",
            {"torch", "httpx", "jinja2", "gradio", "rich", "remora.gateway.protocol.answers"},
        ),
    ],
)
def test_what_is_not_loaded(module: str, absent: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert module in loaded
    assert absent.isdisjoint(loaded)
