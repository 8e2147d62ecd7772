"""Log streams: what a container writes, and what the platform tells of an app.

They break off after a while, as they do in Azure.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.azure.double.container_apps import stream_token
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.runtime.events import event
from tests.azure.double.runtime.log import Line, Log
from tests.azure.double.runtime.settings import Settings
from tests.azure.double.state import now

_APP = r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
_CONSOLE = re.compile(
    _APP + r"/containerApps/(?P<app>[^/]+)/revisions/(?P<revision>[^/]+)"
    r"/replicas/(?P<replica>[^/]+)/containers/(?P<container>[^/]+)/logstream",
    re.IGNORECASE,
)
_EVENTS = re.compile(_APP + r"/containerApps/(?P<app>[^/]+)/eventstream", re.IGNORECASE)
_MOST_LINES = 300


@dataclass(frozen=True)
class Streams:
    """The log streams beside another app. ``console`` and ``events`` find a log if there is one."""

    beside: ASGIApp
    settings: Settings
    console: Callable[[ResourceId, str], Log | None]
    events: Callable[[ResourceId], Log | None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        console = _CONSOLE.fullmatch(scope["path"])
        match = console or _EVENTS.fullmatch(scope["path"])
        if match is None:
            await self.beside(scope, receive, send)
            return
        app = ResourceId(
            match["subscription"], match["group"], "Microsoft.App", ("containerApps",),
            (match["app"],),
        )  # fmt: skip
        headers = dict(scope["headers"])
        if headers.get(b"authorization", b"").decode() != f"Bearer {stream_token(app)}":
            await PlainTextResponse("Unauthorized", 401)(scope, receive, send)
            return
        log = self.console(app, match["replica"]) if console else self.events(app)
        if log is None:
            await PlainTextResponse("Not found", 404)(scope, receive, send)
            return
        query = {
            name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()
        }
        lines = _lines(log, query, is_console=console is not None, life=self.settings.stream_life)
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"text/plain")]})  # fmt: skip
        async for line in lines:
            await send({"type": "http.response.body", "body": line, "more_body": True})
        if query.get("follow") == "true":
            scope["state"]["transport"].abort()
        else:
            await send({"type": "http.response.body", "body": b""})


async def _lines(
    log: Log, query: dict[str, str], *, is_console: bool, life: float
) -> AsyncIterator[bytes]:
    """What is written to the client, for ``life`` seconds where it follows."""

    def shown(line: Line) -> bytes:
        if not is_console:
            return line.text.encode() + b"\n"
        if query.get("output", "json") == "text":
            return f"{line.time} {line.text}\n".encode()
        return json.dumps({"TimeStamp": line.time, "Log": line.text}).encode() + b"\n"

    if is_console:
        yield shown(Line(now(), "Connecting to the container..."))
    else:
        collecting = event("StartingGettingEvents", "Connecting to the events collector...")
        connected = event("ConnectedToEventsServer", "Successfully connected to events server")
        yield f"{collecting}\n{connected}\n".encode()
    count = min(_MOST_LINES, int(query.get("tailLines", 20)))
    if query.get("follow") != "true":
        for line in log.tail(count):
            yield shown(line)
        return
    following = log.follow(count)
    end = asyncio.get_running_loop().time() + life
    try:
        while True:
            async with asyncio.timeout_at(end):
                line = await anext(following)
            yield shown(line)
    except TimeoutError:
        return
    finally:
        await following.aclose()
