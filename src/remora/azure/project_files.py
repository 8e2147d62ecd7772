"""What the files of a project say of inference and of the fine-tuning step before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from remora.azure.config_file import (
    FinetuningConfig,
    InferenceConfig,
    read_finetuning_config,
    read_inference_config,
)
from remora.azure.parameters_file import (
    FINETUNING_PARAMETERS,
    INFERENCE_PARAMETERS,
    ParametersFile,
    read_parameters,
)
from remora.azure.places import Group


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """``provisioned`` are names in inference.config.json, by the parameters that give them, if it
    is of the same resource group; ``notes`` say which were read, and which were not and why."""

    inference: ParametersFile | None
    finetuning: ParametersFile | None
    config: FinetuningConfig | None
    provisioned: Mapping[str, str | None]
    notes: tuple[str, ...]


def read_files(project: Path, subscription: str, group: Group) -> ProjectFiles:
    """All that a project says. Raises `ConfigError` where a file is wrong.

    A fine-tuning step in another resource group is left out: its names are of that group.
    """
    inference = read_parameters(project, INFERENCE_PARAMETERS)
    finetuning = read_parameters(project, FINETUNING_PARAMETERS)
    config = read_finetuning_config(project)
    provisioned = _provisioned(read_inference_config(project), subscription, group.name)
    notes = [f"{_shown(inference.path, project)} was read"] if inference else []
    if config is not None and not _is_in(config, subscription, group.name):
        notes.append(
            f"fine-tuning ran in the resource group {config.resource_group_name} of the"
            f" subscription {config.subscription_id}: its names are not used here"
        )
        return ProjectFiles(inference, None, None, provisioned, tuple(notes))
    if finetuning is not None:
        notes.append(f"{_shown(finetuning.path, project)} was read")
    return ProjectFiles(inference, finetuning, config, provisioned, tuple(notes))


def _provisioned(
    config: InferenceConfig | None, subscription: str, group: str
) -> dict[str, str | None]:
    if config is None or not _is_in(config, subscription, group):
        return {}
    return {
        "acaAppName": config.aca_app_name,
        "storageAccountName": config.storage_account_name,
        "fileShareName": config.file_share_name,
    }


def _is_in(config: FinetuningConfig | InferenceConfig, subscription: str, group: str) -> bool:
    """Whether a step ran there; where its file does not say, it is taken to have."""
    places = ((config.subscription_id, subscription), (config.resource_group_name, group))
    return all(not said or said.lower() == meant.lower() for said, meant in places)


def _shown(path: Path, project: Path) -> str:
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else str(path)
