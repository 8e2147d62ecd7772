"""A door for tests in another process: what was wrong so far, and faults on demand.

======================  ============================================================
``GET /double``         ``{"violations": [...], "requests": N}``
``POST /double/faults`` ``{"fault": "throttle" | "fail" | "cut", "path": REGEX, "times": N}``
``POST /double/apps``   ``{"fault": NAME, "app": NAME, "on": BOOL}``, a fault of `RuntimeFaults`
``POST /double/kill``   ``{"app": NAME}``: its containers run out of memory
======================  ============================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.azure.double.app import ArmApp
from tests.azure.double.faults import Faults
from tests.azure.double.runtime.settings import Settings


@dataclass(frozen=True)
class Control:
    """The door beside another app."""

    beside: ASGIApp
    arm: ArmApp
    settings: Settings
    kill: Callable[[str], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path != "/double" and not path.startswith("/double/"):
            await self.beside(scope, receive, send)
            return
        request = Request(scope, receive)
        order = await request.json() if request.method == "POST" else {}
        try:
            answer = self._obey(path.removeprefix("/double"), order)
            await JSONResponse(answer)(scope, receive, send)
        except (KeyError, AttributeError, TypeError) as error:
            await JSONResponse({"error": repr(error)}, 400)(scope, receive, send)

    def _obey(self, what: str, order: dict[str, Any]) -> dict[str, Any]:
        match what:
            case "/faults":
                _plan(self.arm.arm.faults, **order)
            case "/apps":
                apps: set[str] = getattr(self.settings.faults, order["fault"])
                (apps.add if order["on"] else apps.discard)(order["app"])
            case "/kill":
                self.kill(order["app"])
        return {"violations": self.arm.violations, "requests": len(self.arm.recorder.requests)}


def _plan(faults: Faults, fault: str, path: str = "", times: int = 1) -> None:
    kinds: dict[str, Callable[..., None]] = {
        "throttle": faults.throttle,
        "fail": faults.fail,
        "cut": faults.cut,
    }
    kinds[fault](path, times=times)
