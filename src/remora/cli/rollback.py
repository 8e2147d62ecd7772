"""``remora rollback``: let the endpoint serve an earlier release again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chosen_target import chosen_target
from remora.cli.options import AsJson, DeployedShare, OfTarget
from remora.cli.output import Output


def rollback(
    release: Annotated[
        str | None,
        typer.Argument(
            help="The beginning of its id, as `remora releases` lists it. Default: the release"
            " that was current before this one."
        ),
    ] = None,
    project: Annotated[
        Path | None, typer.Option(help="Folder of the project. Default: this folder.")
    ] = None,
    target: OfTarget = None,
    share: DeployedShare = None,
    json: AsJson = False,
) -> None:
    """Make an earlier release current, and wait until the endpoint serves it."""
    import time

    from remora.reconcile.choice import previous
    from remora.release.manifest import short
    from remora.release.publish import user
    from remora.targets.deploy import roll_back
    from remora.targets.target import Life

    of, output, begin = chosen_target(project, share, target), Output(json), time.perf_counter()
    published = roll_back(of, release or previous(of.share), author=user())
    life = of.state().life
    live = life is Life.RUNNING
    seconds = time.perf_counter() - begin
    sleeps = "the server sleeps, and serves it when it wakes"
    idle = sleeps if life is Life.ASLEEP else "no server runs"
    place = f"live at {of.url}" if live else f"current; {idle}"
    output.say(
        "rolled_back",
        f"Release {short(published.id)} is {place}  ({seconds:.2f} s)",
        release=published.id,
        sequence=published.entry.sequence,
        url=of.url if live else None,
        seconds=round(seconds, 3),
    )
