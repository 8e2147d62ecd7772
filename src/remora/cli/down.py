"""``remora down``: end a target's server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chosen_target import chosen_target
from remora.cli.output import Output


def down(
    project: Annotated[
        Path | None, typer.Argument(help="Folder of the project. Default: this folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines.")] = False,
) -> None:
    """End the server and its supervisor; running answers may end first. Releases stay."""
    ended = chosen_target(project, None).down()
    Output(json).say("down", "Ended." if ended else "No server was running.", ended=ended)
