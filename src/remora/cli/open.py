"""``remora open``: the endpoint in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chosen_target import TargetName, chosen_target
from remora.cli.output import Output
from remora.errors import TargetError


def open_(
    project: Annotated[
        Path | None, typer.Argument(help="Folder of the project. Default: this folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines.")] = False,
) -> None:
    """Open the endpoint in the browser, and print its address."""
    import webbrowser

    target = chosen_target(project, None)
    if target.url is None or (target.name == TargetName.LOCAL and target.report() is None):
        raise TargetError("no server answers", hint="`remora deploy` starts one.")
    opened = webbrowser.open(target.url)
    Output(json).say("opened", target.url, url=target.url, opened=opened)
