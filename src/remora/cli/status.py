"""``remora status``: what a target's server does, and which release it serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chosen_target import chosen_target
from remora.cli.output import Output


def status(
    project: Annotated[
        Path | None, typer.Argument(help="Folder of the project. Default: this folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines.")] = False,
) -> None:
    """Say whether the server runs, what it serves, and why not if it does not."""
    from remora.cli.release_table import model_table
    from remora.release.manifest import short

    target, output = chosen_target(project, None), Output(json)
    state, report = target.state(), target.report()
    output.say(
        "status",
        target=target.name,
        life=state.life,
        detail=state.detail,
        restarts=state.restarts,
        url=target.url,
        report=report.model_dump(mode="json") if report else None,
    )
    if json:
        return
    died = f", restarted {state.restarts} times" if state.restarts else ""
    detail = f": {state.detail}" if state.detail else ""
    output.say("status", f"The server is {state.life}{died}{detail}.")
    if report is None:
        return
    served = short(report.served.release) if report.served else "nothing"
    output.say("status", f"{target.url} serves release {served} ({report.standing}).")
    if report.wanted and report.served and report.wanted.release != report.served.release:
        why = f": {report.reason}" if report.reason else ""
        output.say("status", f"Release {short(report.wanted.release)} is not served{why}.")
    if report.hint:
        output.say("status", f"hint: {report.hint}")
    output.say("status", model_table(report, report.served.release if report.served else ""))
