"""Arguments and options that mean the same in many commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectFolder = Annotated[
    Path | None, typer.Argument(help="Folder of the project. Default: this folder.")
]
DeployedShare = Annotated[
    Path | None, typer.Option(help="Folder of the share. Default: the one that was deployed to.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print events as JSON lines.")]
