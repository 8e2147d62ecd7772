"""The demo, served by a real `remora serve`, as a user would start it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.cli.serving import Serving, named

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a server of the demo, in float32."""
    arguments = [str(DEMO), "--port", "0", "--json", "--dtype", "float32"]
    with Serving(*arguments) as server:
        yield str(named(server.until("ready"), "ready")["url"])
        assert server.stop() == 0, server.log()


@pytest.fixture(scope="module")
def client(endpoint: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{endpoint}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client
