"""What was found in a project, and why it is served or not."""

from __future__ import annotations

from pathlib import Path

from remora.cli.output import Output
from remora.project.discovery import Finding, Kind


def show_findings(output: Output, findings: tuple[Finding, ...], folder: Path) -> None:
    """One line for each finding; a path inside `folder` is shown from there."""
    for finding in findings:
        output.say(
            "found",
            _line(finding, folder),
            kind=finding.kind,
            name=finding.name or None,
            path=str(finding.path),
            rank=finding.rank,
            why=finding.why,
        )


def _line(finding: Finding, folder: Path) -> str:
    path = finding.path
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    rank = f", rank {finding.rank}" if finding.rank else ""
    if finding.kind in {Kind.BASE, Kind.ADAPTER}:
        return f"{finding.kind:<9} {finding.name}: {shown} ({finding.why}{rank})"
    return f"{finding.kind:<9} {shown}: {finding.why}"
