"""The page *Endpoint*: what it serves, how busy it is, and how a program asks it."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr
import httpx

from remora.errors import EndpointError
from remora.loopback import is_loopback
from remora.ui.chat import favourite
from remora.ui.context import QUIET, Context, buttons_script
from remora.ui.endpoint_view import load_view, models_view, release_view, snippet_view
from remora.ui.load import EVERY, History
from remora.ui.snippets import NAMES
from remora.ui.words import in_words


class EndpointPage:
    """Its components, and what happens when they are used."""

    def __init__(self, context: Context) -> None:
        """Build it into the tab that is open."""
        self.context = context
        self.address = context.access.endpoint.address
        # Looking at a machine in the cloud would keep it awake, and is paid for.
        self.local = is_loopback(httpx.URL(self.address).host)
        self.models = gr.HTML("", elem_id="endpoint-models")
        self.release = gr.HTML("", elem_id="endpoint-release")
        gr.HTML("<h2>Load</h2>")
        self.watch = gr.Checkbox(
            label="Look every two seconds", value=self.local, elem_id="endpoint-watch"
        )
        self.load = gr.HTML(load_view(History()), elem_id="endpoint-load")
        gr.HTML("<h2>Ask it from a program</h2>")
        with gr.Row():
            self.kind = gr.Radio(list(NAMES), value=NAMES[0], label="Language", scale=3)
            self.model = gr.Dropdown(
                label="Model", choices=[], filterable=False, interactive=True, scale=1
            )
        self.snippet = gr.HTML("", js_on_load=buttons_script(), elem_id="endpoint-snippet")
        self.history = gr.State(History())
        self.timer = gr.Timer(EVERY, active=False)
        program = [self.kind, self.model]
        gr.on([self.kind.change, self.model.change], self.show, program, self.snippet, **QUIET)
        self.timer.tick(self.look, self.history, [self.history, self.load], **QUIET)
        self.watch.change(lambda on: gr.Timer(active=on), self.watch, self.timer, **QUIET)

    @property
    def shown(self) -> list[Any]:
        """What `enter` changes."""
        return [self.models, self.release, self.model, self.snippet, self.timer]

    async def enter(
        self, request: gr.Request, kind: str, name: str | None, watch: bool
    ) -> list[Any]:
        """Show what there is now, and begin to look at the load."""
        served = await self.context.served(request)
        release = None if served.problem else await self.context.endpoint(request).release()
        model = served.named(name) or favourite(served)
        chosen = model.id if model else "MODEL"
        return [
            models_view(served),
            release_view(release),
            gr.Dropdown(choices=[m.id for m in served.models], value=model.id if model else None),
            self.show(kind, chosen),
            gr.Timer(active=watch),
        ]

    def leave(self) -> Any:
        """Look no more."""
        return gr.Timer(active=False)

    def show(self, kind: str, name: str | None) -> str:
        """The program in the chosen language for the chosen model."""
        return snippet_view(kind, self.address, name or "MODEL")

    async def look(self, request: gr.Request, history: History) -> tuple[History, str]:
        """One look at the endpoint's metrics."""
        try:
            history.add(await self.context.endpoint(request).metrics(), time.monotonic())
        except EndpointError as error:
            return history, load_view(history, in_words(error))
        return history, load_view(history)
