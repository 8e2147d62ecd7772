"""``remora doctor``: whether this machine can serve, and what to do where it can't."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from remora.cli.options import AsJson
from remora.cli.output import UNEXPECTED, Output

MARKS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    host: Annotated[str, typer.Option(help="Address to try.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to try.")] = 7860,
    json: AsJson = False,
) -> None:
    """Check Python, packages, PyTorch, CPU, GPU, memory, disk, port and the sign-in to Azure.

    The exit code is 1 if a check fails; warnings don't count.
    """
    from rich.text import Text

    from remora.cli.health import Health, all_checks

    output = Output(json)
    failed = False
    for check in all_checks(host, port):
        failed |= check.health is Health.FAIL
        text = Text.assemble(
            (f"{check.health:<5}", MARKS[check.health]), f"{check.name:<9} {check.detail}"
        )
        if check.hint:
            text.append(f"\n{'':5}{'':9} {check.hint}", "dim")
        output.say(
            "check",
            text,
            name=check.name,
            health=check.health,
            detail=check.detail,
            hint=check.hint,
        )
    if failed:
        sys.exit(UNEXPECTED)
