"""``remora verify``: whether the endpoint serves what lies here."""

from __future__ import annotations

from pathlib import Path

import typer

from remora.cli.chosen_target import chosen_target, deployed_project
from remora.cli.options import AsJson, DeployedShare, ProjectFolder
from remora.cli.output import Output
from remora.errors import TargetError

DIFFERS = 1


def verify(
    project: ProjectFolder = None,
    share: DeployedShare = None,
    json: AsJson = False,
) -> None:
    """Compare the digests of the project's files with what the endpoint says that it serves.

    The exit code is 1 if they differ.
    """
    from remora.targets.target import Life
    from remora.targets.verify import compare

    target, output = chosen_target(project, share), Output(json)
    report = target.report()
    if report is None and target.state().life is Life.ASLEEP:
        raise TargetError("the server sleeps", hint="A request wakes it: `remora chat`.")
    if report is None:
        raise TargetError("no server answers", hint="`remora deploy` starts one.")
    rows = compare(deployed_project(project or Path.cwd(), target), target, report)
    for row in rows:
        mark = "same" if row.same else "differs"
        output.say(
            "code" if row.part == "code" else "model",
            f"{mark:<8} {row.name}: {row.told}",
            name=row.name,
            same=row.same,
            here=row.here,
            there=row.there,
        )
    if not all(row.same for row in rows):
        raise typer.Exit(DIFFERS)
