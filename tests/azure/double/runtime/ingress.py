"""An app's address: requests wait for a replica that is ready, and are passed on to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address, ip_network

import httpcore
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tests.azure.double.runtime.replica import Replica
from tests.azure.double.runtime.scaler import Ended, NoReplica, Scaler
from tests.azure.double.runtime.settings import Settings
from tests.azure.double.state import Json

AFFINITY = "acaAffinity"
_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer"}


class Ingress:
    """``serving`` is the revision that takes requests; ``settings_of`` the app's ingress as it is.

    ``is_inside`` says whether the ones who ask are in the app's environment.
    """

    def __init__(
        self,
        serving: Callable[[], Scaler | None],
        ingress_of: Callable[[], Json],
        settings: Settings,
        *,
        is_inside: bool,
    ) -> None:
        self._serving, self._ingress_of = serving, ingress_of
        self._settings = settings
        self._is_inside = is_inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ingress = self._ingress_of()
        if self._serving() is None or not (self._is_inside or ingress.get("external")):
            missing = "Error 404 - This Container App is stopped or does not exist."
            await PlainTextResponse(missing, 404)(scope, receive, send)
            return
        if not self._is_inside and not _admits(ingress, scope["client"][0]):
            await PlainTextResponse("RBAC: access denied", 403)(scope, receive, send)
            return
        passing = _Passing(scope, receive, send, self._settings.request_limit)
        await passing.run(self._serving, ingress)


def _admits(ingress: Json, client: str) -> bool:
    """The rules are all of one kind: to allow only, or to deny only, these ranges."""
    rules = ingress.get("ipSecurityRestrictions") or []
    inside = any(
        ip_address(client) in ip_network(rule["ipAddressRange"], strict=False) for rule in rules
    )
    return not rules or inside == (rules[0]["action"] == "Allow")


class _Passing:
    """One request on its way to a replica, and its answer on its way back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: float) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._limit = limit
        self._has_begun = False
        self._gone = asyncio.Event()
        self._body: asyncio.Queue[bytes | None] = asyncio.Queue(16)

    async def run(self, serving: Callable[[], Scaler | None], ingress: Json) -> None:
        """Ends when the answer is complete or the client has left."""
        reading = asyncio.create_task(self._read())
        answering = asyncio.create_task(self._answer(serving, ingress))
        leaving = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            for task in (reading, answering, leaving):
                task.cancel()
            await asyncio.wait({reading, answering, leaving})

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
                return
            if message.get("body"):
                await self._body.put(message["body"])
            if not message.get("more_body"):
                await self._body.put(None)

    async def _content(self) -> AsyncIterator[bytes]:
        while (piece := await self._body.get()) is not None:
            yield piece

    async def _answer(self, serving: Callable[[], Scaler | None], ingress: Json) -> None:
        sticky = (ingress.get("stickySessions") or {}).get("affinity") == "sticky"
        try:
            with ExitStack() as counted:
                async with asyncio.timeout(self._limit):
                    replica = await self._a_replica(serving, counted, sticky=sticky)
                await self._pass_on(replica, ingress["targetPort"], sticky=sticky)
        except (TimeoutError, httpcore.TimeoutException):
            await self._fail(504, "stream timeout")
        except NoReplica:
            await self._fail(503, "no healthy upstream")
        except (httpcore.NetworkError, httpcore.ProtocolError):
            await self._fail(503, "upstream connect error or disconnect/reset before headers. "
                             "reset reason: connection failure")  # fmt: skip

    async def _a_replica(
        self, serving: Callable[[], Scaler | None], counted: ExitStack, *, sticky: bool
    ) -> Replica:
        """One that is ready; its revision counts the request until the stack is closed. Who waits
        for a revision that ends is passed to the one that takes its place."""
        preferred = self._affinity() if sticky else None
        while (scaler := serving()) is not None:
            counted.enter_context(scaler.request())
            try:
                return await scaler.a_ready_replica(preferred)
            except Ended:
                counted.close()
        raise NoReplica

    async def _pass_on(self, replica: Replica, port: int, *, sticky: bool) -> None:
        assert replica.http is not None
        scope = self._scope
        path = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP]
        headers += [(b"x-forwarded-proto", b"https"), (b"x-forwarded-for", b"127.0.0.1")]
        url = httpcore.URL(
            scheme=b"http", host=b"127.0.0.1", port=port, target=path.partition(b"?")[0] + query
        )
        has_body = any(name in {b"content-length", b"transfer-encoding"}
                       for name, _ in scope["headers"])  # fmt: skip
        if has_body and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"transfer-encoding", b"chunked"))
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._limit)
        async with replica.http.stream(
            scope["method"],
            url,
            headers=headers,
            content=self._content() if has_body else None,
            extensions={"timeout": timeout},
        ) as answer:
            given = [(name.lower(), value) for name, value in answer.headers
                     if name.lower() not in _HOP]  # fmt: skip
            if sticky and self._affinity() != replica.name:
                cookie = f"{AFFINITY}={replica.name}; Path=/; HttpOnly; Secure; SameSite=None"
                given.append((b"set-cookie", cookie.encode()))
            await self._send(
                {"type": "http.response.start", "status": answer.status, "headers": given}
            )
            self._has_begun = True
            async for piece in answer.aiter_stream():
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    def _affinity(self) -> str | None:
        for name, value in self._scope["headers"]:
            if name == b"cookie":
                with suppress(CookieError):
                    found = SimpleCookie(value.decode("latin-1")).get(AFFINITY)
                    if found is not None:
                        return found.value
        return None

    async def _fail(self, status: int, message: str) -> None:
        """An answer that has begun can only be cut."""
        if self._has_begun:
            self._scope["state"]["transport"].abort()
            return
        await PlainTextResponse(message, status)(self._scope, self._receive, self._send)
