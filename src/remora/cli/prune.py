"""``remora prune``: delete releases of long ago, and the files that only they needed."""

from __future__ import annotations

from typing import Annotated

import typer

from remora.cli.chosen_target import chosen_target
from remora.cli.options import AsJson, DeployedShare, OfTarget, ProjectFolder
from remora.cli.output import Output


def prune(
    project: ProjectFolder = None,
    keep: Annotated[
        int, typer.Option(min=1, help="How many of the last releases stay, to go back to.")
    ] = 10,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")
    ] = False,
    target: OfTarget = None,
    share: DeployedShare = None,
    json: AsJson = False,
) -> None:
    """Delete old releases from the share, and the files that no other release needs.

    What is served stays, and what was current within the last hour, and files of the last day.
    """
    from remora.release import prune as pruning
    from remora.release.manifest import short

    of, output = chosen_target(project, share, target), Output(json)
    report = of.report()
    serving = [report.served.release] if report and report.served else []
    work = pruning.plan_pruning if dry_run else pruning.prune
    found = work(of.share, keep, serving=serving)
    for id_ in found.releases:
        output.say("release", f"{short(id_)}", release=id_)
    done = "would be deleted" if dry_run else "were deleted"
    output.say(
        "pruned",
        f"{len(found.releases)} releases, and {len(found.blobs)} files of {found.bytes:,} bytes,"
        f" {done}. {len(found.kept)} releases stay.",
        releases=len(found.releases),
        files=len(found.blobs),
        bytes=found.bytes,
        kept=found.kept,
        dry_run=dry_run,
    )
