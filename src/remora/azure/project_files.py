"""What the files of a project say of inference and of the fine-tuning step before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remora.azure.config_file import FinetuningConfig, read_finetuning_config
from remora.azure.parameters_file import (
    FINETUNING_PARAMETERS,
    INFERENCE_PARAMETERS,
    ParametersFile,
    read_parameters,
)
from remora.azure.places import Group


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """``notes`` say which were read, and which were not and why."""

    inference: ParametersFile | None
    finetuning: ParametersFile | None
    config: FinetuningConfig | None
    notes: tuple[str, ...]


def read_files(project: Path, subscription: str, group: Group) -> ProjectFiles:
    """All that a project says. Raises `ConfigError` where a file is wrong.

    A fine-tuning step in another resource group is left out: its names are of that group.
    """
    inference = read_parameters(project, INFERENCE_PARAMETERS)
    finetuning = read_parameters(project, FINETUNING_PARAMETERS)
    config = read_finetuning_config(project)
    notes = [f"{_shown(inference.path, project)} was read"] if inference else []
    if config is not None and not _is_in(config, subscription, group.name):
        notes.append(
            f"fine-tuning ran in the resource group {config.resource_group_name} of the"
            f" subscription {config.subscription_id}: its names are not used here"
        )
        return ProjectFiles(inference, None, None, tuple(notes))
    if finetuning is not None:
        notes.append(f"{_shown(finetuning.path, project)} was read")
    return ProjectFiles(inference, finetuning, config, tuple(notes))


def _is_in(config: FinetuningConfig, subscription: str, group: str) -> bool:
    """Whether fine-tuning ran there; where it does not say, it is taken to have."""
    places = ((config.subscription_id, subscription), (config.resource_group_name, group))
    return all(not said or said.lower() == meant.lower() for said, meant in places)


def _shown(path: Path, project: Path) -> str:
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else str(path)
