"""``remora down``: end a target's server, and on Azure take away what inference created."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chosen_target import TargetName, chosen_target
from remora.cli.options import AsJson, OfTarget, ProjectFolder
from remora.cli.output import Output


def down(
    project: ProjectFolder = None,
    target: OfTarget = None,
    subscription: Annotated[
        str | None, typer.Option(help="On Azure: id or name. Default: that of the config files.")
    ] = None,
    resource_group: Annotated[
        str | None, typer.Option(help="On Azure. Default: that of the config files.")
    ] = None,
    with_data: Annotated[
        bool,
        typer.Option(
            "--with-data", help="On Azure: delete the storage account, too, if inference made it."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    json: AsJson = False,
) -> None:
    """End the server. Releases stay, and what the fine-tuning step made.

    On this machine running answers may end first. On Azure the list of what inference created is
    shown before it is deleted.
    """
    from remora.azure.config_file import is_provisioned
    from remora.cli.azure_down import down_on_azure

    output, folder = Output(json), (project or Path.cwd()).absolute()
    on_azure = is_provisioned(folder) if target is None else target is TargetName.AZURE
    if on_azure:
        down_on_azure(
            output,
            folder,
            subscription=subscription,
            resource_group=resource_group,
            with_data=with_data,
            yes=yes,
        )
        return
    ended = chosen_target(project, None, TargetName.LOCAL).down()
    output.say("down", "Ended." if ended else "No server was running.", ended=ended)
