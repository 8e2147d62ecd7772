"""What goes wrong with Azure Files, on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.azure.double.file_tree import Refused


class Kind(StrEnum):
    """``CUT`` is a connection that breaks before the thing is done, ``LOST`` one that breaks when
    it is done, in the middle of the answer."""

    BUSY = "busy"
    THROTTLED = "throttled"
    CUT = "cut"
    LOST = "lost"
    FULL = "full"
    DENIED = "denied"


@dataclass(slots=True)
class Fault:
    """The next ``times`` operations of this name, or of any, end so, after ``skip`` that don't."""

    kind: Kind
    operation: str = ""
    times: int = 1
    skip: int = 0
    retry_after: str = "0"

    def refuse(self) -> None:
        """Raises where the service would have answered."""
        later = {"Retry-After": self.retry_after}
        match self.kind:
            case Kind.BUSY:
                raise Refused(503, "ServerBusy", **later)
            case Kind.THROTTLED:
                raise Refused(429, "TooManyRequests", **later)
            case Kind.FULL:
                raise Refused(409, "ShareSizeLimitReached")
            case Kind.DENIED:
                raise Refused(403, "AuthorizationPermissionMismatch")
            case Kind.CUT | Kind.LOST:
                pass


@dataclass(slots=True)
class FileFaults:
    """What is still to go wrong, the next first."""

    planned: list[Fault] = field(default_factory=list)
    expiry: int | None = None  # requests with a token until one is told that it has expired

    def plan(
        self,
        kind: Kind,
        operation: str = "",
        *,
        times: int = 1,
        skip: int = 0,
        retry_after: str = "0",
    ) -> None:
        self.planned.append(Fault(kind, operation, times, skip, retry_after))

    def plan_expiry(self, *, after: int) -> None:
        """Let the token that is used then have expired."""
        self.expiry = after

    def next(self, operation: str) -> Fault | None:
        for fault in self.planned:
            if fault.operation in {"", operation}:
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.planned.remove(fault)
                return fault
        return None

    def token_expired(self) -> bool:
        if self.expiry is not None:
            self.expiry -= 1
            if self.expiry < 0:
                self.expiry = None
                return True
        return False


async def broken_off(response: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Send half of an answer and no more: the server then closes the connection."""
    whole = True

    async def half(message: Message) -> None:
        nonlocal whole
        if message["type"] == "http.response.start":
            names = {b"content-length"}
            headers = [item for item in message["headers"] if item[0].lower() not in names]
            size = next((int(v) for n, v in message["headers"] if n.lower() in names), 0)
            length = (b"content-length", str(size + 1).encode())
            await send({**message, "headers": [*headers, length]})
        elif whole:
            whole = False
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})

    await response(scope, receive, half)
