"""``remora logs``: what a target's server has written."""

from __future__ import annotations

from typing import Annotated

import typer

from remora.cli.chosen_target import chosen_target
from remora.cli.options import AsJson, OfTarget, ProjectFolder
from remora.cli.output import Output

NOTHING = "There is no log: no server runs here now, or it has written nothing yet."


def logs(
    project: ProjectFolder = None,
    target: OfTarget = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    json: AsJson = False,
) -> None:
    """Print the server's log: its events and one JSON object for each request.

    On Azure a log is gone with its container; the Log Analytics workspace keeps what was written.
    """
    output, found = Output(json), False
    for line in chosen_target(project, None, target).logs(follow=follow):
        found = True
        if json:
            output.say("log", line=line)
        else:
            typer.echo(line)
    if not found and not json:
        typer.echo(NOTHING, err=True)
