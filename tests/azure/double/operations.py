"""Long-running operations: work in the background, and the URLs where a client asks about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.errors import ArmError
from tests.azure.double.state import Json, new_id, now

FINAL = ("Succeeded", "Failed", "Canceled")


@dataclass
class Operation:
    """``result`` is the answer once it has succeeded. ``polls`` counts the questions so far."""

    id: str = field(default_factory=new_id)
    status: str = "InProgress"
    error: ArmError | None = None
    result: Reply = field(default_factory=lambda: Reply(204))
    started: str = field(default_factory=now)
    polls: int = 0
    task: asyncio.Task[None] | None = None


class Operations:
    """``pace`` is the length of a step in seconds; an answer comes after ``least_polls`` at least.

    ``poll_ms`` is how long a client is told to wait between two questions.
    """

    def __init__(self, pace: float, least_polls: int = 2, poll_ms: int = 10) -> None:
        self.pace = pace
        self.least_polls = least_polls
        self.poll_ms = poll_ms
        self._all: dict[str, Operation] = {}
        self._running = asyncio.Event()
        self._running.set()

    def pause(self) -> None:
        """Lets no operation take another step until `resume`."""
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    async def step(self) -> None:
        """One step of some work."""
        await asyncio.sleep(self.pace)
        await self._running.wait()

    def start(self, work: Callable[[], Awaitable[Reply]]) -> Operation:
        """Begins ``work``, whose answer, `ArmError` or cancellation ends the operation."""
        operation = Operation()
        self._all[operation.id] = operation

        async def run() -> None:
            try:
                operation.result = await work()
                operation.status = "Succeeded"
            except ArmError as error:
                operation.status, operation.error = "Failed", error
            except asyncio.CancelledError:
                operation.status = "Canceled"

        operation.task = asyncio.create_task(run())
        return operation

    def ask(self, resource_id: str) -> tuple[Operation, bool]:
        """An operation, and whether the one who asks is told that it has ended."""
        operation = self._all.get(resource_id)
        if operation is None:
            raise ArmError(404, "OperationNotFound", f"There is no operation {resource_id}.")
        operation.polls += 1
        return operation, operation.status in FINAL and operation.polls >= self.least_polls

    def headers(self) -> dict[str, str]:
        """How long a client waits: ``Retry-After`` counts whole seconds, too long for a test."""
        return {"x-ms-retry-after-ms": str(self.poll_ms)}


def accepted(arm: Arm, call: Call, operation: Operation, url: str, *, style: str) -> dict[str, str]:
    """The headers that tell where to ask: ``style`` is ``Azure-AsyncOperation`` or ``Location``."""
    room = "operationStatuses" if style == "Azure-AsyncOperation" else "operationResults"
    where = f"{arm.state.origin}{url}/{room}/{operation.id}?api-version={call.api_version}"
    return {style: where, **arm.operations.headers()}


def status(arm: Arm, call: Call) -> Reply:
    """What ``Azure-AsyncOperation`` leads to: always 200, with the status in the body."""
    operation, ended = arm.operations.ask(call.names["operation"])
    body: Json = {
        "id": call.path,
        "name": operation.id,
        "startTime": operation.started,
        "status": operation.status if ended else "InProgress",
    }
    if ended and operation.error is not None:
        body["error"] = operation.error.body
    return Reply(200, body, arm.operations.headers())


def result(arm: Arm, call: Call) -> Reply:
    """What ``Location`` leads to: 202 until the work is done, then its answer."""
    operation, ended = arm.operations.ask(call.names["operation"])
    if not ended:
        here = f"{arm.state.origin}{call.path}?api-version={call.api_version}"
        return Reply(202, None, {"Location": here, **arm.operations.headers()})
    if operation.error is not None:
        raise operation.error
    return operation.result


_LOCATIONS = "/subscriptions/{subscription}/providers/{namespace}/locations/{location}"
_DEPLOYMENT = (
    "/subscriptions/{subscription}/resourcegroups/{group}"
    "/providers/Microsoft.Resources/deployments/{deployment}"
)
ROUTES = (
    Route("GET", _LOCATIONS + "/operationStatuses/{operation}", status, "{namespace}"),
    Route("GET", _LOCATIONS + "/operationResults/{operation}", result, "{namespace}"),
    Route("GET", _DEPLOYMENT + "/operationStatuses/{operation}", status, "Microsoft.Resources"),
    Route("GET", _DEPLOYMENT + "/operationResults/{operation}", result, "Microsoft.Resources"),
    Route("GET", "/subscriptions/{subscription}/operationResults/{operation}", result,
          "Microsoft.Resources"),
)  # fmt: skip
