"""``remora verify``: whether the endpoint serves what lies here."""

from __future__ import annotations

from pathlib import Path

import typer

from remora.cli.chat import chat_command
from remora.cli.chosen_target import chosen_target, deployed_project
from remora.cli.options import AsJson, DeployedShare, OfTarget, ProjectFolder
from remora.cli.output import Output
from remora.errors import TargetError

DIFFERS = 1


def verify(
    project: ProjectFolder = None,
    target: OfTarget = None,
    share: DeployedShare = None,
    json: AsJson = False,
) -> None:
    """Compare the digests of the project's files with what the endpoint says that it serves.

    What fine-tuning left on the share counts as here, if the project holds no model itself.
    The exit code is 1 if they differ.
    """
    from remora.targets.target import Life
    from remora.targets.verify import compare

    of, output = chosen_target(project, share, target), Output(json)
    report = of.report()
    if report is None and of.url and of.state().life is Life.ASLEEP:
        hint = f"A request wakes it: `{chat_command(of.url)}`."
        raise TargetError("the server sleeps", hint=hint)
    if report is None:
        raise TargetError("no server answers", hint="`remora deploy` starts one.")
    rows = compare(deployed_project(project or Path.cwd(), of), of, report)
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
