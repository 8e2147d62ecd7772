"""Which paths are the pages', and which the API's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from remora.gateway.app import ROUTES
from remora.gateway.interface import BesideApi

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class Pages:
    async def run(self) -> None: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("pages")(scope, receive, send)


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/", "pages"),
        ("/compare", "pages"),
        ("/gradio_api/queue/join", "pages"),
        ("/v1/models", "api"),
        ("/v1/nothing", "api"),
        ("/admin/adapters/x", "api"),
        ("/openapi.json", "api"),
        ("/chat/completions", "api"),
        ("/models", "api"),
    ],
)
async def test_a_path_has_one_owner(path: str, who: str) -> None:
    app = BesideApi(PlainTextResponse("api"), Pages, ROUTES)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        assert (await http.get(path)).text == who
