"""``remora logs``: what a target's server has written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chosen_target import chosen_target


def logs(
    project: Annotated[
        Path | None, typer.Argument(help="Folder of the project. Default: this folder.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Print the server's log: its events and one JSON object for each request."""
    for line in chosen_target(project, None).logs(follow=follow):
        typer.echo(line)
