"""The pages as an ASGI app: the gate, and behind it the Gradio app once it has been imported."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse

from remora.client.async_endpoint import AsyncEndpoint
from remora.errors import EndpointError
from remora.ui.access import Access, cookies_of, session_cookie
from remora.ui.gate import CONTENT_SECURITY_POLICY, sign_in_page, waiting_page

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_FORM = 4096  # bytes of the sign-in form
GATE_HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": CONTENT_SECURITY_POLICY}


class Site:
    """Serves from its first moment; `run` brings the pages, once somebody who may see them has
    asked for them, or at once after `prepare`. One event loop, that of `run`."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        allowed_hosts: tuple[str, ...] = (),
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self.access = Access(AsyncEndpoint.at(url, key), allowed_hosts)
        self._on_ready = on_ready
        self._pages: ASGIApp | None = None
        self._wanted = asyncio.Event()
        self._open: set[asyncio.Task[Any]] = set()

    def prepare(self) -> None:
        """Don't wait for the first visitor."""
        self._wanted.set()

    async def run(self) -> None:
        """Import Gradio in a thread, put its pages behind the gate, and keep them until
        cancelled; then end what browsers still listen to."""
        try:
            # The import takes seconds of this process, which many a server never needs to give.
            await self._wanted.wait()
            with tempfile.TemporaryDirectory(prefix="remora-ui-") as folder:
                pages = await asyncio.to_thread(self._build, Path(folder))
                # Entering its lifespan also starts Gradio's queue: without it no event answers.
                async with pages.router.lifespan_context(pages):
                    self._pages = pages
                    if self._on_ready is not None:
                        self._on_ready()
                    await asyncio.Event().wait()
        finally:
            self._pages = None
            for task in self._open:
                task.cancel()
            await self.access.endpoint.close()

    def _build(self, folder: Path) -> Any:
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        from remora.ui.pages import build

        return build(self.access, folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if problem := self.access.refusal(scope):
            await PlainTextResponse(problem, 403)(scope, receive, send)
            return
        response = await self._own(scope, receive)
        if response is not None:
            await response(scope, receive, send)
        else:
            await self._forward(scope, receive, send)

    async def _own(self, scope: Scope, receive: Receive) -> Response | None:
        """The gate's answer to a request; None if it may pass."""
        match (scope["method"], scope["path"]):
            case ("GET", "/ui/state"):
                return JSONResponse(await self._state(scope), headers={"Cache-Control": "no-store"})
            case ("POST", "/sign-in"):
                return await self._sign_in(scope, receive)
            case ("POST", "/sign-out"):
                self.access.sign_out(cookies_of(scope))
                return RedirectResponse("./", HTTPStatus.SEE_OTHER)
            case ("GET" | "HEAD", "/"):
                return await self._gate(scope)
        if self._may_pass(scope):
            return None
        if self.access.asks:
            return PlainTextResponse("Sign in first.", 401)
        return PlainTextResponse("There is nothing here. The pages begin at /.", 404)

    async def _gate(self, scope: Scope) -> Response | None:
        """The page to show in place of the pages; None if they may be seen."""
        state = await self._state(scope)
        address = self.access.endpoint.address
        if state.get("sign_in"):
            return HTMLResponse(sign_in_page(address), headers=GATE_HEADERS)
        if not state["go"]:
            return HTMLResponse(waiting_page(address), headers=GATE_HEADERS)
        return None

    async def _state(self, scope: Scope) -> dict[str, Any]:
        """Whether the browser may go on, and if not, what it waits for."""
        try:
            readiness = await self.access.endpoint.readiness()
            if not readiness.ready:
                return {
                    "go": False,
                    "title": "The model is loading",
                    "detail": readiness.detail,
                    "progress": readiness.progress,
                }
            asks = await self.access.find_out()
        except EndpointError as error:
            return {"go": False, "title": "The endpoint is waking", "detail": f"{error}."}
        if asks and not self._may_pass(scope, pages=False):
            return {"go": True, "sign_in": True}
        if self._pages is None:
            self._wanted.set()
            return {"go": False, "title": "Almost there", "detail": "The pages are being prepared."}
        return {"go": True}

    async def _sign_in(self, scope: Scope, receive: Receive) -> Response:
        address = self.access.endpoint.address
        body = b""
        async for piece in Request(scope, receive).stream():
            body += piece
            if len(body) > MAX_FORM:
                return PlainTextResponse("Too long.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        key = parse_qs(body.decode("latin-1")).get("key", [""])[0]
        try:
            session = await self.access.sign_in(key)
        except EndpointError as error:
            problem = "That is not a key of this endpoint." if error.status else f"{error}."
            return HTMLResponse(sign_in_page(address, problem), 401, headers=GATE_HEADERS)
        cookie = {"Set-Cookie": session_cookie(scope, session)}
        return RedirectResponse("./", HTTPStatus.SEE_OTHER, cookie)

    def _may_pass(self, scope: Scope, *, pages: bool = True) -> bool:
        if self.access.asks is None or (pages and self._pages is None):
            return False
        try:
            self.access.endpoint_for(cookies_of(scope))
        except EndpointError:
            return False
        return True

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to Gradio. What still streams when the server ends is ended in form."""
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                policy = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
                message["headers"] = [*message.get("headers", ()), policy]
            await send(message)

        assert self._pages is not None
        task = asyncio.ensure_future(self._pages(scope, receive, guarded))
        self._open.add(task)
        try:
            await asyncio.wait({task})
        finally:
            self._open.discard(task)
            task.cancel()
        if not task.cancelled():
            task.result()
        elif begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
