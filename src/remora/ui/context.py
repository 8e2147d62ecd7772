"""What every page is built with: the endpoint of whoever asks, and what can be stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remora.client.answers import Model
from remora.client.async_endpoint import AsyncEndpoint
from remora.errors import EndpointError
from remora.ui.access import Access
from remora.ui.words import in_words
from remora.ui.work import Stops

if TYPE_CHECKING:
    import gradio as gr

# Options of every event: no overlay on what changes, no public API, no queue of one.
QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
}
STATES = {"loading": "loading", "failed": "failed", "registered": "loads when it is asked"}


@dataclass(frozen=True, slots=True)
class Served:
    """The models that an endpoint lists, or why it doesn't."""

    models: tuple[Model, ...] = ()
    problem: str = ""

    def named(self, name: str | None) -> Model | None:
        """The model of that name, if it is served."""
        return next((model for model in self.models if model.id == name), None)

    def choices(self) -> list[tuple[str, str]]:
        """Labels and names for a picker: every model, with its state where it isn't ready."""
        return [(_label(model), model.id) for model in self.models]


def _label(model: Model) -> str:
    kind = "adapter" if model.parent else "base"
    state = STATES.get(model.state) if model.state != "registered" else None
    return f"{model.id} ({kind}, {state})" if state else f"{model.id} ({kind})"


@dataclass(frozen=True, slots=True)
class Context:
    """``folder`` is for files to download; it is removed when the pages end."""

    access: Access
    folder: Path
    stops: Stops = field(default_factory=Stops)

    def endpoint(self, request: gr.Request) -> AsyncEndpoint:
        """The endpoint with the key of this browser; raises `EndpointError` without one."""
        return self.access.endpoint_for(dict(request.cookies))

    async def served(self, request: gr.Request) -> Served:
        """The models, or the problem in words; never raises."""
        try:
            return Served(tuple(await self.endpoint(request).models()))
        except EndpointError as error:
            return Served(problem=in_words(error))

    def file(self, request: gr.Request, name: str) -> Path:
        """Where a file of that browser tab is written."""
        folder = self.folder / (tab_of(request) or "tab")
        folder.mkdir(exist_ok=True)
        return folder / name


def tab_of(request: gr.Request) -> str:
    """The id of a browser's tab."""
    return str(request.session_hash or "")


@cache
def buttons_script() -> str:
    """The script of `markup.button`, for ``js_on_load`` of a ``gr.HTML``."""
    return (files("remora.ui") / "static" / "buttons.js").read_text("utf-8")
