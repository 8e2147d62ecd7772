"""``remora logs``: what a target's server has written."""

from __future__ import annotations

from typing import Annotated

import typer

from remora.cli.chosen_target import chosen_target
from remora.cli.options import ProjectFolder


def logs(
    project: ProjectFolder = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Print the server's log: its events and one JSON object for each request."""
    for line in chosen_target(project, None).logs(follow=follow):
        typer.echo(line)
