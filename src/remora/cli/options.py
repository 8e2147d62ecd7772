"""Arguments and options that mean the same in many commands."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from remora.cli.chosen_target import TargetName

SERVER = "Endpoint"


class LogLevel(StrEnum):
    """Levels of Python's logging."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


ProjectFolder = Annotated[
    Path | None, typer.Argument(help="Folder of the project. Default: this folder.")
]
DeployedShare = Annotated[
    Path | None, typer.Option(help="Folder of the share. Default: the one that was deployed to.")
]
OfTarget = Annotated[
    TargetName | None,
    typer.Option("--target", help="Where. Default: azure once `remora provision` has been there."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print events as JSON lines.")]
AdminKeyFile = Annotated[
    Path | None,
    typer.Option(
        help="File with keys of the admin API. Else REMORA_ADMIN_KEY is read.",
        rich_help_panel=SERVER,
    ),
]
LeastLevel = Annotated[
    LogLevel | None,
    typer.Option(
        help="Least level of the JSON logs on stderr. Default: info; warning on a terminal.",
        rich_help_panel=SERVER,
    ),
]
WithUi = Annotated[
    bool,
    typer.Option(
        "--ui/--no-ui",
        envvar="REMORA_UI",
        help="Show pages in the browser, if the extra 'ui' is installed.",
        rich_help_panel=SERVER,
    ),
]


def logging_level(chosen: LogLevel | None) -> int:
    """The level of Python's logging that is meant."""
    if chosen is None:
        chosen = LogLevel.WARNING if sys.stderr.isatty() else LogLevel.INFO
    return logging.getLevelNamesMapping()[chosen.upper()]
