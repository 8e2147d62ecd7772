"""Start-up, readiness and liveness probes, called as the platform calls them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpcore

from tests.azure.double.runtime.sandbox import Sandbox, SandboxError
from tests.azure.double.state import Json

_SHORTEST = 0.05  # s between two questions
# What the platform adds for a port that takes requests, where the app has no probe of the kind.
_DEFAULTS: dict[str, Json] = {
    "Startup": {"periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": 240},
    "Readiness": {"periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 48},
    "Liveness": {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 10},
}


@dataclass(frozen=True)
class Probe:
    """``path`` None asks only whether the port takes connections. Times in seconds."""

    kind: str
    port: int
    path: str | None
    delay: float
    period: float
    timeout: float
    failures: int
    successes: int


def of(container: Json, port: int | None) -> list[Probe]:
    """The probes of a container whose app takes requests at ``port``."""
    given = {probe["type"]: probe for probe in container.get("probes") or []}
    if port is not None:
        for kind, values in _DEFAULTS.items():
            given.setdefault(kind, {"tcpSocket": {"port": port}, **values})
    return [_read(kind, values) for kind, values in given.items()]


def _read(kind: str, values: Json) -> Probe:
    http = values.get("httpGet")
    return Probe(
        kind=kind,
        port=(http or values["tcpSocket"])["port"],
        path=http.get("path", "/") if http else None,
        delay=values.get("initialDelaySeconds", 0),
        period=values.get("periodSeconds", 10),
        timeout=values.get("timeoutSeconds", 1),
        failures=values.get("failureThreshold", 3),
        successes=values.get("successThreshold", 1),
    )


async def ask(probe: Probe, sandbox: Sandbox, pool: httpcore.AsyncConnectionPool) -> str | None:
    """What went wrong, or None. HTTP succeeds with 200 to 399."""
    try:
        if probe.path is None:
            (await sandbox.connect(probe.port)).close()
            return None
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), probe.timeout)
        response = await pool.request(
            "GET",
            f"http://127.0.0.1:{probe.port}{probe.path}",
            headers={"Host": f"127.0.0.1:{probe.port}", "User-Agent": "kube-probe/1.30",
                     "Connection": "close"},
            extensions={"timeout": timeout},
        )  # fmt: skip
    except httpcore.TimeoutException:
        return "timeout"
    except (httpcore.NetworkError, httpcore.ProtocolError, SandboxError):
        return "connection refused"
    return None if 200 <= response.status < 400 else f"status code: {response.status}"


async def watch(
    probe: Probe,
    speed: float,
    asked: Callable[[], Any],
    told: Callable[[bool, str | None], None],
) -> None:
    """Asks for ever. ``told`` hears what the container is now held to be, and of each failure why.

    Questions come ``speed`` times as often as the probe says; failures count only when they have
    lasted as long as the probe lets them.
    """
    await asyncio.sleep(probe.delay / speed)
    failing_since: float | None = None
    failures = successes = 0
    while True:
        wrong = await asked()
        now = time.monotonic()
        if wrong is None:
            failures, failing_since = 0, None
            successes += 1
            if successes >= probe.successes:
                told(True, None)
        else:
            successes = 0
            failures += 1
            failing_since = now if failing_since is None else failing_since
            lasted = now - failing_since >= probe.period * (probe.failures - 1)
            told(not (failures >= probe.failures and lasted), wrong)
        await asyncio.sleep(max(_SHORTEST, probe.period / speed))
