"""The target that a command is about."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from remora.cli.closing import close_at_end
from remora.errors import ConfigError

if TYPE_CHECKING:
    from remora.project.project import Project
    from remora.targets.azure import AzureTarget
    from remora.targets.local import LocalTarget


class TargetName(StrEnum):
    """Where a release runs."""

    LOCAL = "local"
    AZURE = "azure"


def chosen_target(
    folder: Path | None, share: Path | None, name: TargetName | None = None
) -> LocalTarget | AzureTarget:
    """The target of a project: the one that was named; else Azure, if infra/inference.config.json
    says where, and no folder was named as the share."""
    from remora.azure.config_file import is_provisioned

    project = (folder or Path.cwd()).absolute()
    if not project.is_dir():
        raise ConfigError(f"the folder {project} does not exist", hint="Name a project's folder.")
    if name is TargetName.AZURE and share is not None:
        raise ConfigError(
            "--share and --target azure exclude each other",
            hint="infra/inference.config.json names the share on Azure.",
        )
    if name is None:
        name = TargetName.AZURE if share is None and is_provisioned(project) else TargetName.LOCAL
    return _azure(project) if name is TargetName.AZURE else _local(project, share)


def deployed_project(folder: Path, target: LocalTarget | AzureTarget) -> Project:
    """The project in a folder. What it lacks here is looked for on the target's share, where
    fine-tuning may have left it."""
    from remora.project.project import find_project
    from remora.release.share_tree import ShareTree
    from remora.targets.local import LocalTarget

    if isinstance(target, LocalTarget) and target.root == folder.absolute():
        return find_project(folder)
    return find_project(folder, share=ShareTree(target.share))


def _local(project: Path, share: Path | None) -> LocalTarget:
    """Its share is the one that was named, now or when it was started, or else the project's
    folder itself."""
    from remora.project.config import CONFIG_FILE, ServerSection, read_config
    from remora.targets.local import LocalTarget, known_share

    file = project / CONFIG_FILE
    server = read_config(file).server if file.is_file() else ServerSection()
    root = share.absolute() if share else known_share(project) or project
    if share is not None and not root.is_dir():
        raise ConfigError(f"--share: the folder {root} does not exist", hint="Make it first.")
    return LocalTarget(project, root, server)


def _azure(project: Path) -> AzureTarget:
    """It is closed when the command ends."""
    from remora.azure.config_file import provisioned_config
    from remora.project.config import CONFIG_FILE, ContainerSection, read_config
    from remora.targets.azure import AzureTarget

    file = project / CONFIG_FILE
    container = read_config(file).container if file.is_file() else ContainerSection()
    target = AzureTarget(
        provisioned_config(project), container.python, has_image=container.has_remora
    )
    close_at_end(target.close)
    return target
