"""``remora ui``: pages in the browser for any OpenAI-compatible endpoint."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chat import DEFAULT_ENDPOINT
from remora.cli.options import AsJson
from remora.cli.output import Output
from remora.errors import ConfigError

UI_MODULES = ("gradio", "starlette", "uvicorn")


def ui(
    endpoint: Annotated[
        str, typer.Option(help="Address of the endpoint.", envvar="REMORA_ENDPOINT")
    ] = DEFAULT_ENDPOINT,
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the endpoint's API key. Else the variable REMORA_API_KEY is read;"
            " without either, the page asks for it if the endpoint does."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the pages; 0 takes a free one.")
    ] = 7861,
    json: AsJson = False,
) -> None:
    """Chat with an endpoint's models in the browser, compare them, try them on a data set.

    The pages can be opened on this machine alone. `remora serve` has them at its own address.
    """
    require_ui()
    from remora.cli.keys import read_keys
    from remora.gateway.server import bind, url_of
    from remora.ui.server import serve
    from remora.ui.site import Site

    output = Output(json)
    keys = read_keys("REMORA_API_KEY", key_file)
    listener = bind("127.0.0.1", port)
    url = url_of(listener)
    site = Site(endpoint, keys[0] if keys else None, on_ready=lambda: output.say("ready", url=url))
    with suppress(KeyboardInterrupt):  # From here on Ctrl-C is how it ends.
        output.say("listening", f"The pages are at {url}. Ctrl-C stops them.", url=url)
        serve(site, listener)
    output.say("stopped", "Stopped.")


def is_ui_installed() -> bool:
    """Whether the packages of the extra ``ui`` are there; imports none of them."""
    return all(importlib.util.find_spec(name) for name in UI_MODULES)


def require_ui() -> None:
    """Raises `ConfigError` without the packages of the extra ``ui``."""
    if not is_ui_installed():
        raise ConfigError(
            "The pages need Gradio, which is not installed",
            hint="Install it with `pip install 'remora-serve[ui]'`.",
        )
