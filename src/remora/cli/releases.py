"""``remora releases``: what was served when, and what changed each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.cli.chosen_target import chosen_target
from remora.cli.options import AsJson, DeployedShare, OfTarget, ProjectFolder
from remora.cli.output import Output

if TYPE_CHECKING:
    from remora.release.publish import Step


def releases(
    project: ProjectFolder = None,
    target: OfTarget = None,
    share: DeployedShare = None,
    json: AsJson = False,
) -> None:
    """List the releases of the share, the oldest first, with what changed in each."""
    from remora.release.publish import history

    output = Output(json)
    steps = history(chosen_target(project, share, target).share)
    for step in steps:
        _tell(output, step)
    if not steps and not json:
        output.say("none", "Nothing was released yet. `remora deploy` makes a release.")


def _tell(output: Output, step: Step) -> None:
    from remora.cli.release_table import change_text
    from remora.release.manifest import short

    entry, release = step.entry, step.release
    mark = "*" if step.is_current else " "
    commit = _commit(step)
    message = f"  {release.message}" if release and release.message else ""
    head = f"{mark} {entry.sequence:>4}  {short(entry.release)}  {entry.at:%Y-%m-%d %H:%M}"
    changes = [change_text(change) for change in step.changes]
    lines = [f"{head}  {entry.action} by {entry.by}{commit}{message}"]
    lines += [f"          {change}" for change in changes]
    if release is None:
        lines.append("          its manifest was pruned, or is lost or damaged")
    output.say(
        "release",
        "\n".join(lines),
        sequence=entry.sequence,
        release=entry.release,
        action=entry.action,
        at=entry.at.isoformat(),
        by=entry.by,
        commit=release.commit if release else None,
        dirty=release.dirty if release else None,
        message=release.message if release else None,
        current=step.is_current,
        changes=changes,
    )


def _commit(step: Step) -> str:
    if step.release is None or step.release.commit is None:
        return ""
    return f"  {step.release.commit[:12]}{'+' if step.release.dirty else ''}"
