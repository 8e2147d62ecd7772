"""The target that a command is about."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from remora.errors import ConfigError

if TYPE_CHECKING:
    from remora.targets.local import LocalTarget


class TargetName(StrEnum):
    """Where a release runs."""

    LOCAL = "local"


def chosen_target(folder: Path | None, share: Path | None) -> LocalTarget:
    """The local target of a project; its share is the one that was named, now or when it was
    started, or else the project's folder itself."""
    from remora.project.config import CONFIG_FILE, ServerSection, read_config
    from remora.targets.local import LocalTarget, known_share

    project = (folder or Path.cwd()).absolute()
    if not project.is_dir():
        raise ConfigError(f"the folder {project} does not exist", hint="Name a project's folder.")
    file = project / CONFIG_FILE
    server = read_config(file).server if file.is_file() else ServerSection()
    root = share.absolute() if share else known_share(project) or project
    if share is not None and not root.is_dir():
        raise ConfigError(f"--share: the folder {root} does not exist", hint="Make it first.")
    return LocalTarget(project, root, server)
